import type { Script } from '../../redis/port.ts';
import { NOW } from './hold.ts';

/**
 * Takes what is due from a queue's parked entries. Due is judged by Redis' clock. An entry whose score changed was
 * restored and taken by a Python member meanwhile: it is only dropped here.
 *
 * KEYS  1 unacked, 2 unacked_index, 3 held, 4... parked sets    ARGV  1 how many at most
 * Returns { seconds until the next one is due, or '', { set number, field, unacked entry, ... } }.
 */
export const DUE: Script = {
  name: 'due',
  lua: `
local unacked_key, index_key, held_key = KEYS[1], KEYS[2], KEYS[3]
${NOW}
-- a write that is always allowed, and changes nothing: after it the script may go on where Redis is out of memory
redis.call('ZREM', held_key, '')
local taken, count, nearest, limit = {}, 0, nil, tonumber(ARGV[1])
for k = 4, #KEYS do
  while count < limit do
    local due = redis.call('ZRANGEBYSCORE', KEYS[k], '-inf', now, 'WITHSCORES', 'LIMIT', 0, math.min(limit - count, 500))
    if #due == 0 then break end
    for i = 1, #due, 2 do
      local field = due[i]
      local entry = redis.call('ZSCORE', index_key, field) == due[i + 1] and redis.call('HGET', unacked_key, field)
      if entry then
        redis.call('ZADD', index_key, now, field)
        redis.call('ZADD', held_key, now, field)
        local n = #taken
        taken[n + 1], taken[n + 2], taken[n + 3] = k - 3, field, entry
        count = count + 1
      end
      redis.call('ZREM', KEYS[k], field)
    end
  end
  local next = redis.call('ZRANGE', KEYS[k], 0, 0, 'WITHSCORES')
  if next[2] then
    local seconds = tonumber(next[2]) - tonumber(now)
    if not nearest or seconds < nearest then nearest = seconds end
  end
end
return { nearest and string.format('%.6f', nearest) or '', taken }
`,
};
