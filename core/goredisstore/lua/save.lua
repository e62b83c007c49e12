-- Stores a session if it is still what the caller loaded.
-- KEYS[1] the session
-- ARGV[1] the version it must have, '' if it must not exist
-- ARGV[2] now, ARGV[3] time to live, both in milliseconds
-- ARGV[4] the new value
-- ARGV[5] 1 if an earlier attempt got no answer and may have run
-- Returns 1 stored, 0 changed since, -1 gone, -2 changed since, perhaps after our
-- earlier attempt was stored.
local head = redis.call('GETRANGE', KEYS[1], 0, 12)
local version = string.sub(head, 2, 7)
-- Never overwrite what a newer release has written, not even if it has expired.
local known = #head == 13 and (string.byte(head) == 1 or string.byte(head) == 2)
local over = known and struct.unpack('>I6', head, 8) <= tonumber(ARGV[2])

if #head > 0 and version == string.sub(ARGV[4], 2, 7) then
  return 1 -- our own first attempt, whose answer was lost
elseif ARGV[1] == '' then
  if #head > 0 and not over then
    return 0
  end
elseif #head == 0 or over then
  return -1
elseif not known or version ~= ARGV[1] then
  -- If an earlier attempt of ours was stored, another save has changed the
  -- session since, and the caller must not apply its changes twice.
  return ARGV[5] == '0' and 0 or -2
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
return 1
