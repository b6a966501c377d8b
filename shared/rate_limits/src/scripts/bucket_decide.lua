-- Spends of one token bucket. KEYS[1]: what was missing in it, and when, in microseconds.
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
local missing, last = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
missing, last = tonumber(missing) or 0, tonumber(last) or now
-- After a failover, or when a clock was set, the time may be before the last one: then none has passed.
local before = math.max(missing - math.max(now - last, 0), 0)
local after = before + cost * interval
local allowed = after <= capacity
local left = allowed and after or before
if (allowed and cost > 0) or now < last then
    ttl = string.format('%.0f', ttl + math.ceil(math.max(left, 1) / 1000))
    redis.call('SET', KEYS[1], string.format('%.0f %.0f', left, now), 'PX', ttl)
end
local remaining = math.floor(math.max(capacity - left, 0) / interval)
return {allowed and 1 or 0, remaining, left, allowed and 0 or after - capacity}
