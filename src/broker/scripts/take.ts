import type { Script } from '../../redis/port.ts';
import { HOLD, IS_LATER, JUDGE, NOW } from './hold.ts';

/**
 * Pops a batch and holds it, in one step: there is no instant at which a message is neither in its list nor in
 * `unacked` (or, doubtful, in the aside list).
 *
 * KEYS  1 unacked, 2 unacked_index, 3 held, 4 aside, 5... source lists in rows of `width`: a row is emptied before the next, its lists take turns
 * ARGV  1 free slots, 2 how many more may be held ahead, 3 how many are held ahead now, 4 byte cap of the call,
 *       5 largest message to judge here, 6 the place in a row (from 1) served last, 7 width, 8 what the names of this
 *       instance's inboxes begin with, 9... for each list its queue's name as JSON text
 * Returns { set aside, place served last, numbers of lists of a wrong type, { list number, field, message, ... } }.
 *
 * Free slots come first. Ahead of them only while the queue is long: never more than a quarter of what still waits, so
 * that idle neighbours find work. Pops double from one message on, so that a row of huge ones ends the call early.
 *
 * What is for later is going to be parked, and takes no slot: it counts for nothing, up to MOST_LATER a call. Else a worker
 * with one slot would park one message a call, and whatever stands behind a million of them would wait for hours.
 */
const MOST_LATER = 100;

export const TAKE: Script = {
  name: 'take',
  lua: `
local unacked_key, index_key, held_key, aside_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local free, room, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local max_bytes, judge_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local served, width = tonumber(ARGV[6]), tonumber(ARGV[7])
-- raises on a wrong type while nothing has been popped yet
redis.call('HLEN', unacked_key) redis.call('ZCARD', index_key) redis.call('ZCARD', held_key) redis.call('LLEN', aside_key)
${NOW}${JUDGE}${IS_LATER}${HOLD}
local taken, wrong, set_aside, bytes, count, later = {}, {}, 0, 0, 0, 0

local function keep(list, m)
  bytes = bytes + #m
  local tag, eta = judge(m, judge_bytes)
  if eta and later < ${MOST_LATER} and is_later(eta) then later = later + 1 else count = count + 1 end
  if tag then
    local n = #taken
    taken[n + 1], taken[n + 2], taken[n + 3] = list, hold(m, tag, ARGV[8 + list]), m
  else
    -- what lay in an inbox goes on as a message of the list it was on its way from
    local home = KEYS[4 + list]
    if string.sub(home, 1, #ARGV[8]) == ARGV[8] then home = string.sub(home, #ARGV[8] + 1) end
    redis.call('LPUSH', aside_key, #home .. ':' .. home .. m)
    set_aside = set_aside + 1
  end
end

for row = 0, (#KEYS - 4) / width - 1 do
  local lengths, waiting = {}, 0
  for q = 1, width do
    local n = redis.pcall('LLEN', KEYS[4 + row * width + q])
    if type(n) == 'table' then
      wrong[#wrong + 1] = row * width + q
      n = 0
    end
    lengths[q] = n
    waiting = waiting + n
  end
  local beyond = math.max(count - free, 0)
  local want = math.min(math.max(free - count, 0), waiting)
  if room > beyond and waiting > want then
    want = want + math.max(math.min(room - beyond, math.floor((waiting - want) / 4) - ahead - beyond), 0)
  end
  local step, left = 1, waiting
  while want > 0 and bytes < max_bytes do
    local share, quota, later_before = math.min(want, step), {}, later
    want = want - share
    left = left - share
    step = step * 2
    while share > 0 do
      served = served % width + 1
      if lengths[served] > 0 then
        lengths[served] = lengths[served] - 1
        quota[served] = (quota[served] or 0) + 1
        share = share - 1
      end
    end
    for q = 1, width do
      if quota[q] then
        local list = row * width + q
        for _, m in ipairs(redis.call('RPOP', KEYS[4 + list], quota[q]) or {}) do keep(list, m) end
      end
    end
    want = math.min(want + later - later_before, left)
  end
end
write_index()
return { set_aside, served, wrong, taken }
`,
};
