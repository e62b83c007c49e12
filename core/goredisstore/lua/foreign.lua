-- Deletes what is under the key of a user's index and is no index.
-- KEYS[1] the index
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
  redis.call('DEL', KEYS[1])
end
return 0
