-- Replaces a session if it is still what the caller loaded.
-- KEYS[1] the session
-- ARGV[1] what it must be: its SHA-1 in hex, or all of it after '='; '' if it must not exist
-- ARGV[2] the new value, ARGV[3] its time to live in milliseconds
-- ARGV[4] how often this command was sent before
-- Returns 1 replaced, 0 changed since, -1 gone, -2 changed since, perhaps by ourselves.

-- Whether value is what the caller loaded.
local function same(value)
  if string.sub(ARGV[1], 1, 1) == '=' then
    return value == string.sub(ARGV[1], 2)
  end
  return redis.sha1hex(value) == ARGV[1]
end

local value = redis.call('GET', KEYS[1])
if value == ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1 -- our own first attempt, of which the answer was lost
elseif ARGV[1] == '' then
  if value then
    return 0
  end
elseif not value then
  return -1
elseif not same(value) then
  -- Had an earlier attempt of ours been stored, another save has changed it
  -- since, and the caller must not apply its changes twice.
  return ARGV[4] == '0' and 0 or -2
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
