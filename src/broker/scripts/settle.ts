import type { Script } from '../../redis/port.ts';
import { ONCE } from './once.ts';

/**
 * The fence. A delivery tag survives redelivery, so holding a tag proves nothing: an instance may act on an entry only
 * while the score in `unacked_index` is the one it wrote last, which its `held` set remembers. Python members that
 * restore or take the message write another score, a celeriac member that recovers it removes ours: both are fenced.
 *
 * The removal of nothing is a write, and a script that has written may go on where Redis is out of memory: what moves a
 * message frees as much as it takes. What could be refused (a key of a wrong type) comes before what is given up.
 */
export const FENCE = `
redis.call('ZREM', held_key, '')
local function owned(field)
  local score = redis.call('ZSCORE', held_key, field)
  return score and redis.call('ZSCORE', index_key, field) == score
end
`;

/**
 * Acknowledges a batch.
 *
 * KEYS  1 member:<instance>, 2 unacked, 3 unacked_index, 4 held    ARGV  1 and 2 as ONCE, 3... fields
 * Returns the numbers (from 1) of those whose lease was lost; nothing of theirs was touched.
 */
export const ACK: Script = {
  name: 'ack',
  lua: `
${ONCE}
local before = answered()
if before then return before end
local unacked_key, index_key, held_key = KEYS[2], KEYS[3], KEYS[4]
local ours, lost = {}, {}
local mine = redis.call('ZMSCORE', held_key, unpack(ARGV, 3))
local theirs = redis.call('ZMSCORE', index_key, unpack(ARGV, 3))
for i = 1, #ARGV - 2 do
  if mine[i] and mine[i] == theirs[i] then ours[#ours + 1] = ARGV[i + 2] else lost[#lost + 1] = i end
end
if #ours > 0 then
  redis.call('HDEL', unacked_key, unpack(ours))
  redis.call('ZREM', index_key, unpack(ours))
end
redis.call('ZREM', held_key, unpack(ARGV, 3))
return answer(lost)
`,
};

/**
 * Parks a batch: the entries stay in `unacked`, scored with their ETA, which keeps every sweep away until then plus the
 * sweeper's visibility timeout.
 *
 * KEYS  1 member:<instance>, 2 unacked_index, 3 held, 4... parked sets
 * ARGV  1 and 2 as ONCE, 3... triples: field, ETA (seconds, as text), number of the set
 * Returns the numbers of those whose lease was lost.
 */
export const PARK: Script = {
  name: 'park',
  lua: `
${ONCE}
local before = answered()
if before then return before end
local index_key, held_key = KEYS[2], KEYS[3]
${FENCE}
local lost = {}
for i = 3, #ARGV, 3 do
  local field, eta = ARGV[i], ARGV[i + 1]
  if owned(field) then
    redis.call('ZADD', KEYS[3 + tonumber(ARGV[i + 2])], eta, field)
    redis.call('ZADD', index_key, eta, field)
  else
    lost[#lost + 1] = i / 3
  end
  redis.call('ZREM', held_key, field)
end
return answer(lost)
`,
};

/**
 * Puts held or parked entries back into lists, with the text that JavaScript marked as redelivered (Lua would re-encode
 * it with losses). Used for requeue, for warm shutdown, for what a dead member held, and for handing parked ones back.
 *
 * KEYS  1 member:<instance>, 2 unacked, 3 unacked_index, 4 the set that owns the fields (held:<instance> or
 *       parked:<queue>), 5 members
 * ARGV  1 and 2 as ONCE, 3 'LPUSH' (back of the queue) or 'RPUSH' (front), 4 instance that must be dead, or '',
 *       5... triples: field, full key of the list, message
 * Returns { how many were put back, 1 when the instance turned out to live }. Fields that changed hands are only dropped
 * from the owning set.
 */
export const PUT_BACK: Script = {
  name: 'put-back',
  lua: `
${ONCE}
local before = answered()
if before then return before end
local unacked_key, index_key, held_key = KEYS[2], KEYS[3], KEYS[4]
${FENCE}
if ARGV[4] ~= '' then
  local t = redis.call('TIME')
  local lease = redis.call('ZSCORE', KEYS[5], ARGV[4])
  if lease and tonumber(lease) > tonumber(t[1]) then return { 0, 1 } end
end
local done = 0
for i = 5, #ARGV, 3 do
  local field = ARGV[i]
  if owned(field) and redis.call('HEXISTS', unacked_key, field) == 1 then
    redis.call(ARGV[3], ARGV[i + 1], ARGV[i + 2])
    redis.call('HDEL', unacked_key, field)
    redis.call('ZREM', index_key, field)
    done = done + 1
  end
  redis.call('ZREM', held_key, field)
end
return answer({ done, 0 })
`,
};

/**
 * Moves held entries to the quarantine: what Celery would drop keeps its bytes, as they stand in `unacked`.
 *
 * KEYS  1 member:<instance>, 2 unacked, 3 unacked_index, 4 held, 5 quarantine stream
 * ARGV  1 and 2 as ONCE, 3 approximate cap of the stream, 4 instance, 5... quadruples: field, queue, what follows the
 *       message in its entry (', "", "<queue>"]'), reason
 * Returns the numbers of those whose lease was lost.
 */
export const QUARANTINE: Script = {
  name: 'quarantine',
  lua: `
${ONCE}
local before = answered()
if before then return before end
local unacked_key, index_key, held_key = KEYS[2], KEYS[3], KEYS[4]
${FENCE}
local lost = {}
for i = 5, #ARGV, 4 do
  local field, tail = ARGV[i], ARGV[i + 2]
  local entry = owned(field) and redis.call('HGET', unacked_key, field)
  if entry then
    -- an entry of ours is '[' .. message .. tail; anything else is kept whole
    local message = entry
    if string.sub(entry, -#tail) == tail then message = string.sub(entry, 2, -#tail - 1) end
    redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], '*', 'queue', ARGV[i + 1], 'reason', ARGV[i + 3],
      'message', message, 'instance', ARGV[4])
    redis.call('HDEL', unacked_key, field)
    redis.call('ZREM', index_key, field)
  else
    lost[#lost + 1] = (i - 1) / 4
  end
  redis.call('ZREM', held_key, field)
end
return answer(lost)
`,
};
