-- Deletes a session if it is still what the caller loaded.
-- KEYS[1] the session
-- ARGV[1] what it must be: its SHA-1 in hex, or all of it after '='
-- Returns 1 deleted or gone, 0 changed since.

-- Whether value is what the caller loaded.
local function same(value)
  if string.sub(ARGV[1], 1, 1) == '=' then
    return value == string.sub(ARGV[1], 2)
  end
  return redis.sha1hex(value) == ARGV[1]
end

local value = redis.call('GET', KEYS[1])
if value and not same(value) then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
