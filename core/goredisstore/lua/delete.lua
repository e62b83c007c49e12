-- Deletes a session and informs those who wait for its end.
-- KEYS[1] the session
-- ARGV[1] the channel, ARGV[2] the session's ID
if redis.call('DEL', KEYS[1]) == 1 then
  redis.pcall('PUBLISH', ARGV[1], ARGV[2]) -- not every user may publish
end
return 1
