-- Enters a session into its user's index; see index.go for what a member is.
-- KEYS[1] the index
-- ARGV[1] the session's ID
-- ARGV[2] now, ARGV[3] when the reservation lapses, both in milliseconds
-- ARGV[4] the limit, 0 for none; ARGV[5] 'end' or 'refuse' beyond it
-- ARGV[6] 1 if vanished members have been looked for
-- ARGV[7]... the vanished ones: ID and what the member was then, of each
-- Returns {'ok', IDs to end...}, {'limit'}, or {'look', ID and member of each...}: of
-- all if the limit depends on it, otherwise of a part, another one at each login.
local id, now, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])

for i = 7, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end

local all, live, ending = redis.call('HGETALL', KEYS[1]), {}, {}
local till, lasts = -1, tonumber(ARGV[3])
for i = 1, #all, 2 do
  local n, lapses, t = string.match(all[i + 1], '^(%d+) (%d+) (-?%d+)$')
  if n then
    n, lapses, t = tonumber(n), tonumber(lapses), tonumber(t)
    if all[i] == id then
      till = math.max(t, -1) -- one that is in use stays so
    elseif t == -2 then
      ending[#ending + 1] = all[i]
    elseif lapses > now or t == 0 or t > now then
      live[#live + 1] = {n, all[i]}
    else
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end

local excess = limit > 0 and #live + 1 - limit or 0
if ARGV[6] ~= '1' and (excess > 0 or #ending > 0 or #live > 32) then
  local look, members = {'look'}, #all / 2
  local part = excess > 0 and members or math.min(members, 64)
  local from = part * (tonumber(redis.call('HGET', KEYS[1], '')) or 0)
  for i = from, from + part - 1 do
    local at = i % members * 2
    look[#look + 1], look[#look + 2] = all[at + 1], all[at + 2]
  end
  return look
end
if excess > 0 and ARGV[5] == 'refuse' then
  return {'limit'}
end
local n = redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('HSET', KEYS[1], id, string.format('%.0f %s %.0f', n, ARGV[3], till))
if excess > 0 then
  table.sort(live, function(a, b) return a[1] < b[1] end)
  for i = 1, excess do
    redis.call('HSET', KEYS[1], live[i][2], string.format('%.0f 0 -2', live[i][1]))
    ending[#ending + 1] = live[i][2]
  end
end
if redis.call('PTTL', KEYS[1]) < lasts - now then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lasts - now))
end
table.insert(ending, 1, 'ok')
return ending
