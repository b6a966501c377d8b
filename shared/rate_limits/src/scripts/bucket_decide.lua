-- Spends of one token bucket. KEYS[1]: when it is full again, in microseconds.
-- ARGV: the time or '' for Redis' own, the interval per unit, the capacity, the cost.
local now = tonumber(ARGV[1])
local ttl = 0
if now then
    ttl = 3600000 -- a time that is given says nothing about Redis' own
else
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local interval, capacity, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local stored = tonumber(redis.call('GET', KEYS[1]) or '') or now
local before = math.max(stored, now) - now
local after = before + cost * interval
if after > capacity then
    local remaining = math.floor(math.max(capacity - before, 0) / interval)
    return {0, remaining, before, after - capacity}
end
if cost > 0 then
    ttl = ttl + math.ceil(after / 1000)
    redis.call('SET', KEYS[1], string.format('%.0f', now + after), 'PX', string.format('%.0f', ttl))
end
return {1, math.floor((capacity - after) / interval), after, 0}
