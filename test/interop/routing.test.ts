/** Topic and direct exchanges between Python and celeriac members, in both directions; which queues a worker consumes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Celeriac, ConfigError, type SendOptions } from '../../src/index.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const SETTINGS = {
  task_queues: {
    celery: {},
    video: { exchange: 'media', exchange_type: 'topic', routing_key: 'video.#' },
    audio: { exchange: 'media', exchange_type: 'topic', routing_key: 'audio.*' },
    mails: { exchange: 'post', routing_key: 'mail' },
  },
  worker_direct: true,
};

let server: TestRedis;
let url: string;
let redis: RedisPort;
let ours: RunningWorker;
let theirs: RunningWorker;
let client: Celeriac;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  client = new Celeriac('client', { broker_url: url, result_backend: url, ...SETTINGS });
  [ours, theirs] = await Promise.all([
    startWorker({ broker: url }, { settings: SETTINGS, args: ['-Q', 'video,mails'] }),
    startPythonWorker({ broker: url }, { settings: SETTINGS, args: ['-P', 'solo', '-X', 'video,mails'] }),
  ]);
});
afterAll(async () => {
  await client.close();
  for (const worker of [ours, theirs]) {
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).not.toMatch(/CRITICAL|Unrecoverable|Traceback/);
  }
  expect(await redis.command('EXISTS', 'unacked', 'unacked_index')).toBe(0);
  await redis.close();
  await server.stop();
});

/** Where each goes, and who is to answer. */
const WAYS: readonly [why: string, SendOptions, 'node' | 'python'][] = [
  ['a topic exchange and a routing key', { exchange: 'media', routingKey: 'video.mp4.hd' }, 'node'],
  ['a topic exchange and a routing key', { exchange: 'media', routingKey: 'audio.mp3' }, 'python'],
  ['a topic queue with a routing key of another one', { queue: 'video', routingKey: 'audio.ogg' }, 'python'],
  ['a topic queue', { queue: 'video' }, 'node'],
  ['a direct queue of a named exchange', { queue: 'mails' }, 'node'],
  ['its exchange and routing key', { exchange: 'post', routingKey: 'mail' }, 'node'],
  ['nothing', {}, 'python'],
];

test.each(WAYS)('from TypeScript by %s: %j reaches %s', async (_why, options, who) => {
  const result = await client.sendTask<string>('tasks.who', options);
  expect(await result.get({ timeout: 10 })).toMatch(new RegExp(`^${who}@`));
});

/** Kombu takes an exchange for a direct one until it was declared on that connection, and drops what it can't place. */
const DECLARED = `
with app.amqp.producer_pool.acquire() as producer:
    for queue in app.amqp.queues.values():
        producer.maybe_declare(queue)
`;

test('from Python by the same ways the same workers are reached', async () => {
  const sends = WAYS.map(([, { queue, exchange, routingKey }]) => ({ queue, exchange, routing_key: routingKey }));
  const program = `${DECLARED}
results = [who.apply_async(**{k: v for k, v in send.items() if v}) for send in json.loads('${JSON.stringify(sends)}')]
print(json.dumps([result.get(timeout=10).split('@')[0] for result in results]))`;
  expect(await python({ broker: url }, program, SETTINGS)).toEqual(WAYS.map(([, , who]) => who));
});

test('by worker_direct one worker alone is reached, from both sides', async () => {
  const hosts = await Promise.all([
    (await client.sendTask<string>('tasks.who', {})).get({ timeout: 10 }),
    (await client.sendTask<string>('tasks.who', { queue: 'mails' })).get({ timeout: 10 }),
  ]);
  for (const host of hosts) {
    const direct = await client.sendTask<string>('tasks.who', { exchange: 'C.dq2', routingKey: host });
    expect(await direct.get({ timeout: 10 })).toBe(host);
  }
  const program = `
from celery.utils.nodenames import worker_direct
print(json.dumps([who.apply_async(queue=worker_direct(host)).get(timeout=10) for host in ${JSON.stringify(hosts)}]))`;
  expect(await python({ broker: url }, program, SETTINGS)).toEqual(hosts);
});

test('a task sees where it was sent, and its retry goes there again', async () => {
  const program = `${DECLARED}
result = app.send_task('tasks.delivery', exchange='media', routing_key='video.x', priority=3)
print(json.dumps(result.get(timeout=10)))`;
  expect(await python({ broker: url }, program, SETTINGS)).toEqual([
    { exchange: 'media', routingKey: 'video.x', priority: 3, redelivered: false },
    { exchange: 'media', routingKey: 'video.x', priority: 3, redelivered: false },
  ]);
});

test('both bind what they consume alike, byte for byte', async () => {
  const bindings = async (start: (broker: string) => Promise<RunningWorker>): Promise<Record<string, unknown>> => {
    const db = server.freshDb();
    const port = testPort(db);
    const worker = await start(db);
    const found: Record<string, unknown> = {};
    for (const key of ((await port.command('KEYS', '_kombu.binding.*')) as string[]).sort()) {
      // Control and events are another matter.
      if (!/pidbox|celeryev/.test(key)) found[key] = ((await port.command('SMEMBERS', key)) as string[]).sort();
    }
    await worker.stop();
    await port.close();
    return found;
  };
  const args = ['-n', 'same@host', '-Q', 'video,audio,mails,missing', '-X', 'audio'];
  const python = await bindings((broker) =>
    startPythonWorker({ broker }, { settings: SETTINGS, args: ['-P', 'solo', ...args] }),
  );
  expect(python).toMatchObject({ '_kombu.binding.C.dq2': ['same@host\x06\x16\x06\x16same@host.dq2'] });
  expect(await bindings((broker) => startWorker({ broker }, { settings: SETTINGS, args }))).toEqual(python);
});

test('a queue nobody configured is refused where missing ones must not be made: worker and client say which are known', async () => {
  const strict = { ...SETTINGS, task_create_missing_queues: false };
  const worker = await startWorker({ broker: url }, { settings: strict, args: ['-Q', 'mail'], awaitReady: false });
  await until('it ended', () => worker.child.exitCode !== null);
  expect(worker.child.exitCode).toBe(1);
  expect(worker.output()).toContain(
    'Error: unknown queue "mail" (known: celery, video, audio, mails), did you mean "mails"? Add it to task_queues, or set task_create_missing_queues to true',
  );
  const app = new Celeriac('strict', { broker_url: url, ...strict });
  await expect(app.sendTask('tasks.who', { queue: 'mail' })).rejects.toBeInstanceOf(ConfigError);
  await app.close();
  expect(await redis.command('EXISTS', 'mail')).toBe(0);
});
