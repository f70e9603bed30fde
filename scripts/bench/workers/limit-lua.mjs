/**
 * The limit in batches: the same keys changed in the same order, but a script takes and holds up to BATCH messages, a
 * second acks them and a third stores and announces their results, so a task costs a share of three calls. Nothing is
 * decoded here either. Celery itself cannot do this; it shows what is left below plain commands.
 * Arguments: host, port, batch.
 */
import { Redis } from 'ioredis';
import { QUEUE, RESULT_PREFIX, envelope, taskId } from '../workloads/envelope.mjs';

const [host, port, batch] = process.argv.slice(2);

const scripts = {
  // KEYS queue, unacked, unacked_index; ARGV count, time, tag prefix; returns the messages.
  takeAndHold: {
    numberOfKeys: 3,
    lua: `local messages = redis.call('RPOP', KEYS[1], ARGV[1])
          if not messages then return {} end
          for at, message in ipairs(messages) do
            local tag = ARGV[3] .. at
            redis.call('ZADD', KEYS[3], ARGV[2], tag)
            redis.call('HSET', KEYS[2], tag, '[' .. message .. ', "", "' .. KEYS[1] .. '"]')
          end
          return messages`,
  },
  // KEYS unacked, unacked_index; ARGV count, tag prefix.
  ack: {
    numberOfKeys: 2,
    lua: `for at = 1, tonumber(ARGV[1]) do
            redis.call('ZREM', KEYS[2], ARGV[2] .. at)
            redis.call('HDEL', KEYS[1], ARGV[2] .. at)
          end`,
  },
  // KEYS the results' keys; ARGV their values; a stored SUCCESS is left as it is.
  store: {
    lua: `for at, key in ipairs(KEYS) do
            local stored = redis.call('GET', key)
            if not stored or not string.find(stored, '"status": "SUCCESS"', 1, true) then
              redis.call('SETEX', key, 86400, ARGV[at])
              redis.call('PUBLISH', key, ARGV[at])
            end
          end`,
  },
};
const connect = (db) => new Redis({ host, port: Number(port), db, maxRetriesPerRequest: null, scripts });

const broker = connect(0);
const backend = connect(1);
const blocking = connect(0);

const sample = envelope(0, 0);
const idStart = sample.indexOf(taskId(0, 0));
const idEnd = idStart + taskId(0, 0).length;
const metaOf = (id) =>
  `{"status": "SUCCESS", "result": 1000001, "traceback": null, "children": [], ` +
  `"date_done": "2026-11-21T23:48:19.582280+00:00", "task_id": "${id}"}`;

let calls = 0;
async function take() {
  const prefix = `limit-${(calls += 1)}-`;
  const messages = await broker.takeAndHold(QUEUE, 'unacked', 'unacked_index', batch, Date.now() / 1000, prefix);
  return { prefix, messages };
}

async function settle({ prefix, messages }) {
  const ids = messages.map((message) => message.slice(idStart, idEnd));
  await Promise.all([
    broker.ack('unacked', 'unacked_index', messages.length, prefix),
    backend.store(ids.length, ...ids.map((id) => RESULT_PREFIX + id), ...ids.map(metaOf)),
  ]);
}

for (;;) {
  let taken = await take();
  while (taken.messages.length > 0) {
    // The next batch is on its way while this one is settled.
    [taken] = await Promise.all([take(), settle(taken)]);
  }
  const woken = await blocking.brpop(QUEUE, 1);
  if (woken !== null) {
    const prefix = `limit-${(calls += 1)}-`;
    await broker
      .multi()
      .zadd('unacked_index', Date.now() / 1000, `${prefix}1`)
      .hset('unacked', `${prefix}1`, `[${woken[1]}, "", "${QUEUE}"]`)
      .exec();
    await settle({ prefix, messages: [woken[1]] });
  }
}
