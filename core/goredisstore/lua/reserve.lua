-- Enters a session into its user's index; see index.go for what a member is.
-- KEYS[1] the index
-- ARGV[1] the session's ID
-- ARGV[2] now, ARGV[3] when the reservation lapses, both in milliseconds
-- ARGV[4] the limit, 0 for none; ARGV[5] 'end', 'refuse' or 'ceiling' beyond it
-- ARGV[6] 1 if the caller has looked for vanished members
-- ARGV[7]... the vanished ones: for each its ID and its member at that time
-- Returns {'ok', IDs to end...}, {'limit'}, or {'look', ID and member of each...}.
-- 'look' names all members if an exact limit depends on them, otherwise a few that
-- do not end by the clock.
local id, now, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local exact = limit > 0 and ARGV[5] ~= 'ceiling'
local sample = 64

for i = 7, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end

local function parse(member)
  local n, lapses, t = string.match(member or '', '^(%d+) (%d+) (-?%d+)$')
  return tonumber(n), tonumber(lapses), tonumber(t)
end

-- The counter and the mark are no members, and this session is none of the others.
local _, held, till = parse(redis.call('HGET', KEYS[1], id))
local others = redis.call('HLEN', KEYS[1]) - (redis.call('HGET', KEYS[1], '') and 1 or 0) - (redis.call('HGET', KEYS[1], '!') and 1 or 0) - (till and 1 or 0)
till = till == -2 and held > now and held or math.max(till or -1, -1) -- one that is in use, or was, stays so

-- Only a limit that is reached needs all members; the cost of any other login does
-- not depend on how many there are.
local some
if others <= sample or exact or limit > 0 and others >= limit then
  some = redis.call('HGETALL', KEYS[1])
else
  some = redis.call('HRANDFIELD', KEYS[1], sample, 'WITHVALUES')
end
local live, ending, timeless = {}, {}, {}
for i = 1, #some, 2 do
  local n, lapses, t = parse(some[i + 1])
  if n and some[i] ~= id then
    if t == -2 then
      ending[#ending + 1] = some[i]
    elseif lapses > now or t == 0 or t > now then
      live[#live + 1] = {n, some[i], t}
    else
      redis.call('HDEL', KEYS[1], some[i])
    end
    if (t == 0 or t == -2) and #timeless < 2 * sample then
      timeless[#timeless + 1], timeless[#timeless + 2] = some[i], some[i + 1]
    end
  end
end

local excess = limit > 0 and #live + 1 - limit or 0
if not exact then
  excess = math.min(excess, 32) -- the next logins take out more
end
if ARGV[6] ~= '1' then
  local look = {'look'}
  if exact and (excess > 0 or #ending > 0) then
    look = some
    table.insert(look, 1, 'look')
  elseif #ending > 0 or #live > 32 then
    look = timeless
    table.insert(look, 1, 'look')
  end
  if #look > 1 then
    return look
  end
end
if excess > 0 and ARGV[5] == 'refuse' then
  return {'limit'}
end
local n = redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('HSET', KEYS[1], id, string.format('%.0f %s %.0f', n, ARGV[3], till))
if excess > 0 then
  table.sort(live, function(a, b) return a[1] < b[1] end)
  for i = 1, excess do
    redis.call('HSET', KEYS[1], live[i][2], string.format('%.0f %.0f -2', live[i][1], math.max(live[i][3], 0)))
    ending[#ending + 1] = live[i][2]
  end
end
local lasts = tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < lasts - now then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lasts - now))
end
table.insert(ending, 1, 'ok')
return ending
