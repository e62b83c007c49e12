-- Takes sessions out of their user's index, and the index with the last one.
-- KEYS[1] the index
-- ARGV[1]... ID and member of each; a member that has changed stays, '' takes out any
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' or redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
if redis.call('HLEN', KEYS[1]) <= 1 then -- only the counter is left
  redis.call('DEL', KEYS[1])
end
return 1
