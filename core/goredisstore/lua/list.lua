-- Lists a user's index. A replica, which may lack what matters most here,
-- refuses the first command, though on a master it does nothing.
-- KEYS[1] the index
-- Returns ID and member of each.
redis.call('HDEL', KEYS[1], '-')
return redis.call('HGETALL', KEYS[1])
