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
-- After a failover the time may be before that of the last entry.
local slot = math.max(math.floor(now / length), log[#log - 1] or 0)
local counted, used = {}, 0
for i = 1, #log, 2 do
    if log[i] >= slot - slots then
        counted[#counted + 1] = log[i]
        counted[#counted + 1] = log[i + 1]
        used = used + log[i + 1]
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
    ttl = ttl + math.ceil(leaves_in(slot) / 1000)
    redis.call('SET', KEYS[1], cmsgpack.pack(counted), 'PX', string.format('%.0f', ttl))
end
local newest = counted[#counted - 1]
return {allowed and 1 or 0, math.max(quota - used, 0), newest and leaves_in(newest) or 0, retry}
