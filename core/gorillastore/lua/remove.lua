-- Deletes a session if it is still what the caller loaded.
-- KEYS[1] the session
-- ARGV[1] SHA-1 of what it must be, in hex
-- Returns 1 deleted or gone, 0 changed since.
local value = redis.call('GET', KEYS[1])
if value and redis.sha1hex(value) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
