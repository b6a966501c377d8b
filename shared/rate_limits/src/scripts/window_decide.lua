-- Spends of one sliding window. KEYS[1]: slot, count, slot, count, … in ascending order.
-- ARGV: the time or '' for Redis' own, the length of a slot, how many slots, the quota, the cost.
local now = tonumber(ARGV[1])
local ttl = 0
if now then
    ttl = 3600000 -- a time that is given says nothing about Redis' own
else
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local length, slots = tonumber(ARGV[2]), tonumber(ARGV[3])
local quota, cost = tonumber(ARGV[4]), tonumber(ARGV[5])
local stored = redis.call('GET', KEYS[1])
local log = stored and cmsgpack.unpack(stored) or {}
local slot = math.floor(now / length)
-- After a failover, or when a clock was set, the time may be before the last one: what was spent later
-- than now was spent now.
local set_back = (log[#log - 1] or 0) > slot
local counted, used = {}, 0
for i = 1, #log, 2 do
    local at, count = math.min(log[i], slot), log[i + 1]
    if at >= slot - slots then
        if counted[#counted - 1] == at then
            counted[#counted] = counted[#counted] + count
        else
            counted[#counted + 1] = at
            counted[#counted + 1] = count
        end
        used = used + count
    end
end
local function leaves_in(at)
    return (at + slots + 1) * length - now
end
local allowed = used + cost <= quota
local retry = 0
if not allowed then
    local left = used + cost
    for i = 1, #counted, 2 do
        left = left - counted[i + 1]
        if left <= quota then
            retry = leaves_in(counted[i])
            break
        end
    end
elseif cost > 0 then
    if counted[#counted - 1] == slot then
        counted[#counted] = counted[#counted] + cost
    else
        counted[#counted + 1] = slot
        counted[#counted + 1] = cost
    end
    used = used + cost
end
local newest = counted[#counted - 1]
local reset = newest and leaves_in(newest) or 0
if (allowed and cost > 0) or set_back then
    ttl = string.format('%.0f', ttl + math.ceil(reset / 1000))
    redis.call('SET', KEYS[1], cmsgpack.pack(counted), 'PX', ttl)
end
return {allowed and 1 or 0, math.max(quota - used, 0), reset, retry}
