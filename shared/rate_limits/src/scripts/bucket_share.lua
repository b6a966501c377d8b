-- Takes in what instances have spent of token buckets, whether or not it fits: it has happened.
-- KEYS: when each is full again, in microseconds. ARGV, two per key: '+' and the time that was spent,
-- or '=' and what is missing in all. Answers, two per key: whether it was known, what is missing now.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most = 2 ^ 51 -- with the present time still exact in a double
local answers = {}
for i, key in ipairs(KEYS) do
    local amount = tonumber(ARGV[2 * i])
    local stored = tonumber(redis.call('GET', key) or '')
    local missing = math.max(stored or now, now) - now
    if ARGV[2 * i - 1] == '+' then
        missing = missing + amount
    else
        missing = math.max(missing, amount)
    end
    missing = math.min(missing, most)
    if amount > 0 and missing > 0 then
        local ttl = string.format('%.0f', math.ceil(missing / 1000))
        redis.call('SET', key, string.format('%.0f', now + missing), 'PX', ttl)
    end
    answers[#answers + 1] = stored and 1 or 0
    answers[#answers + 1] = missing
end
return answers
