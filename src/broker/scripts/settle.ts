import type { Script } from '../../redis/port.ts';

/**
 * The fence. A delivery tag survives redelivery, so holding a tag proves nothing: an instance may act on an entry only
 * while the score in `unacked_index` is the one it wrote last, which its `held` set remembers. Python members that
 * restore or take the message write another score, a celeriac member that recovers it removes ours: both are fenced.
 */
export const FENCE = `
local function owned(field)
  local score = redis.call('ZSCORE', held_key, field)
  return score and redis.call('ZSCORE', index_key, field) == score
end
`;

/**
 * Acknowledges a batch.
 *
 * KEYS  1 unacked, 2 unacked_index, 3 held    ARGV  fields
 * Returns the numbers (from 1) of those whose lease was lost; nothing of theirs was touched.
 */
export const ACK: Script = {
  name: 'ack',
  lua: `
local unacked_key, index_key, held_key = KEYS[1], KEYS[2], KEYS[3]
local ours, lost = {}, {}
local mine = redis.call('ZMSCORE', held_key, unpack(ARGV))
local theirs = redis.call('ZMSCORE', index_key, unpack(ARGV))
for i, field in ipairs(ARGV) do
  if mine[i] and mine[i] == theirs[i] then ours[#ours + 1] = field else lost[#lost + 1] = i end
end
if #ours > 0 then
  redis.call('HDEL', unacked_key, unpack(ours))
  redis.call('ZREM', index_key, unpack(ours))
end
redis.call('ZREM', held_key, unpack(ARGV))
return lost
`,
};

/**
 * Parks a batch: the entries stay in `unacked`, scored with their ETA, which keeps every sweep away until then plus the
 * sweeper's visibility timeout.
 *
 * KEYS  1 unacked_index, 2 held, 3... parked sets    ARGV  triples: field, ETA (seconds, as text), number of the set
 * Returns the numbers of those whose lease was lost.
 */
export const PARK: Script = {
  name: 'park',
  lua: `
local index_key, held_key = KEYS[1], KEYS[2]
${FENCE}
local lost = {}
for i = 1, #ARGV, 3 do
  local field, eta = ARGV[i], ARGV[i + 1]
  if owned(field) then
    redis.call('ZADD', index_key, eta, field)
    redis.call('ZADD', KEYS[2 + tonumber(ARGV[i + 2])], eta, field)
  else
    lost[#lost + 1] = (i + 2) / 3
  end
  redis.call('ZREM', held_key, field)
end
return lost
`,
};

/**
 * Puts held or parked entries back into lists, with the text that JavaScript marked as redelivered (Lua would re-encode
 * it with losses). Used for requeue, for warm shutdown, for what a dead member held, and for handing parked ones back.
 *
 * KEYS  1 unacked, 2 unacked_index, 3 the set that owns the fields (held:<instance> or parked:<queue>), 4 members
 * ARGV  1 'LPUSH' (back of the queue) or 'RPUSH' (front), 2 instance that must be dead, or '',
 *       3... triples: field, full key of the list, message
 * Returns { how many were put back, 1 when the instance turned out to live }. Fields that changed hands are only dropped
 * from the owning set.
 */
export const PUT_BACK: Script = {
  name: 'put-back',
  lua: `
local unacked_key, index_key, held_key = KEYS[1], KEYS[2], KEYS[3]
${FENCE}
if ARGV[2] ~= '' then
  local t = redis.call('TIME')
  local lease = redis.call('ZSCORE', KEYS[4], ARGV[2])
  if lease and tonumber(lease) > tonumber(t[1]) then return { 0, 1 } end
end
local done = 0
for i = 3, #ARGV, 3 do
  local field = ARGV[i]
  if owned(field) and redis.call('HEXISTS', unacked_key, field) == 1 then
    redis.call(ARGV[1], ARGV[i + 1], ARGV[i + 2])
    redis.call('HDEL', unacked_key, field)
    redis.call('ZREM', index_key, field)
    done = done + 1
  end
  redis.call('ZREM', held_key, field)
end
return { done, 0 }
`,
};

/**
 * Moves held entries to the quarantine: what Celery would drop keeps its bytes, as they stand in `unacked`.
 *
 * KEYS  1 unacked, 2 unacked_index, 3 held, 4 quarantine stream
 * ARGV  1 approximate cap of the stream, 2 instance, 3... quadruples: field, queue, what follows the message in its entry
 *       (', "", "<queue>"]'), reason
 * Returns the numbers of those whose lease was lost.
 */
export const QUARANTINE: Script = {
  name: 'quarantine',
  lua: `
local unacked_key, index_key, held_key = KEYS[1], KEYS[2], KEYS[3]
${FENCE}
local lost = {}
for i = 3, #ARGV, 4 do
  local field, tail = ARGV[i], ARGV[i + 2]
  local entry = owned(field) and redis.call('HGET', unacked_key, field)
  if entry then
    -- an entry of ours is '[' .. message .. tail; anything else is kept whole
    local message = entry
    if string.sub(entry, -#tail) == tail then message = string.sub(entry, 2, -#tail - 1) end
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], '*', 'queue', ARGV[i + 1], 'reason', ARGV[i + 3],
      'message', message, 'instance', ARGV[2])
    redis.call('HDEL', unacked_key, field)
    redis.call('ZREM', index_key, field)
  else
    lost[#lost + 1] = (i + 1) / 4
  end
  redis.call('ZREM', held_key, field)
end
return lost
`,
};
