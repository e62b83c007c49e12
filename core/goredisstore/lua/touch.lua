-- Moves a session's expiry if it is still what the caller loaded.
-- KEYS[1] the session
-- ARGV[1] the version it must have
-- ARGV[2] now, ARGV[3] time to live, both in milliseconds
-- ARGV[4] the new expiry, as it is stored
-- Returns 1 moved, 0 changed since, -1 gone.
local head = redis.call('GETRANGE', KEYS[1], 0, 12)
if #head == 0 then
  return -1
elseif #head < 13 or string.byte(head) ~= 1 and string.byte(head) ~= 2 then
  return 0 -- written by a newer release, or not a session
elseif struct.unpack('>I6', head, 8) <= tonumber(ARGV[2]) then
  return -1
elseif string.sub(head, 2, 7) ~= ARGV[1] then
  return 0
end
-- The order matters: with a full memory a script may not begin with SETRANGE,
-- although this one needs no memory, and sessions in use would end.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SETRANGE', KEYS[1], 7, ARGV[4])
return 1
