/**
 * The limit in plain commands: what Redis and the client cost when a worker does nothing but owe Celery its commands.
 * Per task: RPOP; MULTI ZADD HSET EXEC (hold); MULTI ZREM HDEL EXEC (ack, early as is Celery's default); GET of the
 * result key; MULTI SETEX PUBLISH EXEC. No byte is decoded: the task id is cut out at a fixed place, the result is one
 * constant. SLOTS tasks are under way at once; a slot takes its steps one after the other, as a worker must, and what
 * the slots issue in one turn of the event loop travels in one pipeline. Arguments: host, port, slots.
 */
import { Redis } from 'ioredis';
import { QUEUE, RESULT_PREFIX, envelope, taskId } from '../workloads/envelope.mjs';

const [host, port, slots] = process.argv.slice(2);
const connect = (db) => new Redis({ host, port: Number(port), db, maxRetriesPerRequest: null });

const sample = envelope(0, 0);
const idStart = sample.indexOf(taskId(0, 0));
const idEnd = idStart + taskId(0, 0).length;
const metaOf = (id) =>
  `{"status": "SUCCESS", "result": 1000001, "traceback": null, "children": [], ` +
  `"date_done": "2026-11-21T23:48:19.582280+00:00", "task_id": "${id}"}`;

/** Collects the commands of one turn of the event loop into one pipeline. */
class Turn {
  #redis;
  #pipeline;
  #length = 0;
  #waiters = [];
  #flush = () => {
    const pipeline = this.#pipeline;
    const waiters = this.#waiters;
    this.#pipeline = undefined;
    this.#waiters = [];
    this.#length = 0;
    pipeline.exec((error, replies) => {
      if (error) throw error;
      for (const [index, resolve] of waiters) {
        const [failure, value] = replies[index];
        if (failure) throw failure;
        resolve(value);
      }
    });
  };

  constructor(redis) {
    this.#redis = redis;
  }

  /** Resolves with the last command's reply: of a transaction, EXEC's. */
  send(commands) {
    if (this.#pipeline === undefined) {
      this.#pipeline = this.#redis.pipeline();
      setImmediate(this.#flush);
    }
    for (const [name, ...args] of commands) this.#pipeline[name](...args);
    this.#length += commands.length;
    const index = this.#length - 1;
    return new Promise((resolve) => this.#waiters.push([index, resolve]));
  }
}

const broker = new Turn(connect(0));
const backend = new Turn(connect(1));
const blocking = connect(0);

const sleepers = [];
let blocked = false;
/** One blocking pop for all idle slots, as a worker has one: what it brings goes to the slot that slept longest. */
async function wakeSleepers() {
  blocked = true;
  while (sleepers.length > 0) {
    const reply = await blocking.brpop(QUEUE, 1);
    if (reply !== null) sleepers.shift()(reply[1]);
  }
  blocked = false;
}
function sleep() {
  return new Promise((resolve) => {
    sleepers.push(resolve);
    if (!blocked) void wakeSleepers();
  });
}

let tags = 0;
async function slot() {
  for (;;) {
    const message = (await broker.send([['rpop', QUEUE]])) ?? (await sleep());
    const id = message.slice(idStart, idEnd);
    const tag = `limit-${(tags += 1)}`;
    await broker.send([
      ['multi'],
      ['zadd', 'unacked_index', Date.now() / 1000, tag],
      ['hset', 'unacked', tag, `[${message}, "", "${QUEUE}"]`],
      ['exec'],
    ]);
    const acked = broker.send([['multi'], ['zrem', 'unacked_index', tag], ['hdel', 'unacked', tag], ['exec']]);
    const key = RESULT_PREFIX + id;
    await backend.send([['get', key]]);
    const meta = metaOf(id);
    await backend.send([['multi'], ['setex', key, 86400, meta], ['publish', key, meta], ['exec']]);
    await acked;
  }
}

for (let started = 0; started < Number(slots); started += 1) void slot();
