-- For wrk: the tokens of the file that TOKENS names, in turn.
local tokens, at = {}, 0
for line in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = "Bearer " .. line end
request = function()
  at = at % #tokens + 1
  return wrk.format("GET", nil, { ["Authorization"] = tokens[at] })
end
