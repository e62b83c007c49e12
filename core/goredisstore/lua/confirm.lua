-- Makes a reservation permanent.
-- KEYS[1] the index
-- ARGV[1] the session's ID
-- ARGV[2] now, ARGV[3] the latest end, 0 if not known, both in milliseconds. Then the one
-- that was told before still holds.
-- ARGV[4] how long the index lasts, in milliseconds
-- Returns 1, or 0 if the reservation is gone.
local member, now = redis.call('HGET', KEYS[1], ARGV[1]), tonumber(ARGV[2])
if not member then
  return 0
end
local n, lapses, till = string.match(member, '^(%d+) (%d+) (-?%d+)$')
if not n then
  return 0
end
lapses, till = tonumber(lapses), tonumber(till)
if till == -2 or not (lapses > now or till == 0 or till > now) then
  return 0
end
if ARGV[3] == '0' and till > now then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%s 0 %.0f', n, till))
  return 1
end
redis.call('HSET', KEYS[1], ARGV[1], n .. ' 0 ' .. ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
