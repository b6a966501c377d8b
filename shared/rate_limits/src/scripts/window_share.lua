-- Takes in what instances have spent of sliding windows, whether or not it fits: it has happened.
-- KEYS: slot, count, slot, count, … each. ARGV: the time or '' for Redis' own, the length of a slot, how
-- many slots, and two per key: '+' and the cost that was spent, or '=' and all counts as
-- 'age count age count …', oldest first.
-- Answers, two per key: 1 or 0 for whether it was known, and the counts in that form.
local now = tonumber(ARGV[1])
local longer = 0
if now then
    longer = 3600000 -- a time that is given says nothing about Redis' own
else
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local length, slots = tonumber(ARGV[2]), tonumber(ARGV[3])
local slot = math.floor(now / length)
local answers = {}
for i, key in ipairs(KEYS) do
    local stored = redis.call('GET', key)
    local log = stored and cmsgpack.unpack(stored) or {}
    local by_slot, used = {}, 0
    for i = 1, #log, 2 do
        -- After a failover, or when a clock was set, the time may be before the last one.
        local at = math.min(log[i], slot)
        if at >= slot - slots then
            by_slot[at] = (by_slot[at] or 0) + log[i + 1]
            used = used + log[i + 1]
        end
    end
    local change = ARGV[2 * i + 3]
    if ARGV[2 * i + 2] == '+' then
        by_slot[slot] = (by_slot[slot] or 0) + tonumber(change)
    else
        -- Slots of two clocks never match quite: of what both know only the sum can be compared. What
        -- is missing here was spent last.
        local told, total = {}, 0
        for age, count in change:gmatch('(%d+) (%d+)') do
            told[#told + 1] = {slot - tonumber(age), tonumber(count)}
            total = total + tonumber(count)
        end
        local missing = total - used
        for at = #told, 1, -1 do
            local where, count = unpack(told[at])
            count = math.min(count, missing)
            if count > 0 then
                by_slot[where] = (by_slot[where] or 0) + count
                missing = missing - count
            end
        end
    end
    local counted, by_age = {}, {}
    for at = slot - slots, slot do
        if (by_slot[at] or 0) > 0 then
            counted[#counted + 1] = at
            counted[#counted + 1] = by_slot[at]
            by_age[#by_age + 1] = string.format('%d %d', slot - at, by_slot[at])
        end
    end
    if #counted > 0 then
        local left = (counted[#counted - 1] + slots + 1) * length - now
        local ttl = longer + math.ceil(left / 1000)
        redis.call('SET', key, cmsgpack.pack(counted), 'PX', string.format('%.0f', ttl))
    end
    answers[#answers + 1] = stored and '1' or '0'
    answers[#answers + 1] = table.concat(by_age, ' ')
end
return answers
