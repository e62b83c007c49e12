-- Takes sessions out of their user's index, and deletes the index with the last.
-- What is left lasts as long as the longest of it. A marked index lasts as before:
-- the mark tells of sessions that are not in it.
-- KEYS[1] the index
-- ARGV[1] now, in milliseconds
-- ARGV[2]... ID and member of each; a changed member stays, '' matches any member
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' or redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
if redis.call('HGET', KEYS[1], '!') then
  return 1
end
local left = redis.call('HLEN', KEYS[1])
if left <= 1 then -- only the counter is left
  redis.call('DEL', KEYS[1])
elseif left <= 65 then -- more are not worth the time
  local all, lasts = redis.call('HGETALL', KEYS[1]), 0
  for i = 2, #all, 2 do
    local _, lapses, t = string.match(all[i], '^(%d+) (%d+) (-?%d+)$')
    if t == '0' or t == '-2' then
      return 1 -- it is not known how long
    elseif t then
      lasts = math.max(lasts, tonumber(lapses), tonumber(t))
    end
  end
  local now = tonumber(ARGV[1])
  if lasts > now and redis.call('PTTL', KEYS[1]) > lasts - now then
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lasts - now))
  end
end
return 1
