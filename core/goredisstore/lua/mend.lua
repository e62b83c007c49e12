-- Puts a session back into its user's index, marks the index as incomplete if the
-- session was missing, and lets the index last as long as the session.
-- KEYS[1] the index; KEYS[2] the session, if it is on the same server
-- ARGV[1] the session's ID
-- ARGV[2] now, ARGV[3] until when it is a member, both in milliseconds
-- Returns the member that was entered, or '' if nothing was missing.
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  return ''
end
local now, till = tonumber(ARGV[2]), tonumber(ARGV[3])
-- First, because with a full memory only a script that begins so may go on.
if redis.call('PTTL', KEYS[1]) < till - now then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', till - now))
end
local member, entered = redis.call('HGET', KEYS[1], ARGV[1]), ''
local n, lapses, t = string.match(member or '', '^(%d+) (%d+) (-?%d+)$')
if n then
  t = tonumber(t)
  if t == -2 and tonumber(lapses) > 0 then -- stays taken out, but may come back for as long
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f -2', n, math.max(tonumber(lapses), till)))
  end
  if t == 0 or t == -2 or tonumber(lapses) > now and t == -1 or t >= till then
    return ''
  elseif t > now then
    redis.call('HSET', KEYS[1], ARGV[1], n .. ' ' .. lapses .. ' ' .. ARGV[3])
    return ''
  end
end
entered = string.format('%.0f 0 %s', redis.call('HINCRBY', KEYS[1], '', 1), ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], entered)
if not redis.call('HGET', KEYS[1], '!') then
  redis.call('HSET', KEYS[1], '!', ARGV[1] .. ' ' .. ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(till - now, redis.call('PTTL', KEYS[1]))))
return entered
