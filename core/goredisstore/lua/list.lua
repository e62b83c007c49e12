-- Lists a user's index. The first command does nothing on a master, but a
-- replica, which may lack the newest sessions, refuses it.
-- KEYS[1] the index
-- Returns the ID and member of each session.
redis.call('HDEL', KEYS[1], '-')
return redis.call('HGETALL', KEYS[1])
