-- Takes in what instances have spent of token buckets, whether or not it fits: it has happened.
-- KEYS: what was missing in each, and when, in microseconds. ARGV: the time or '' for Redis' own, and two
-- per key: '+' and the time that was spent, or '=' and what is missing in all.
-- Answers, two per key: whether it was known, and what is missing now.
local now = tonumber(ARGV[1])
local longer = 0
if now then
    longer = 3600000 -- a time that is given says nothing about Redis' own
else
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local most = 2 ^ 51 -- exact in a double, with anything that is added
local answers = {}
for i, key in ipairs(KEYS) do
    local amount = tonumber(ARGV[2 * i + 1])
    local stored = redis.call('GET', key)
    local missing, last = string.match(stored or '', '^(%d+) (%d+)$')
    missing, last = tonumber(missing) or 0, tonumber(last) or now
    -- After a failover, or when a clock was set, the time may be before the last one.
    missing = math.max(missing - math.max(now - last, 0), 0)
    if ARGV[2 * i] == '+' then
        missing = missing + amount
    else
        missing = math.max(missing, amount)
    end
    missing = math.min(missing, most)
    if missing > 0 then
        local ttl = string.format('%.0f', longer + math.ceil(missing / 1000))
        redis.call('SET', key, string.format('%.0f %.0f', missing, now), 'PX', ttl)
    end
    answers[#answers + 1] = stored and 1 or 0
    answers[#answers + 1] = missing
end
return answers
