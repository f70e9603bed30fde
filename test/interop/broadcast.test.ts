/** One message, a run on every worker: celeriac and Python members hear the same broadcasts. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEPARATOR } from '../../src/broker/keys.ts';
import { Broadcast, Celeriac, type SendOptions } from '../../src/index.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

/** A fanout that is no Broadcast: Celery's own clients declare it, and so publish to it. */
const QUEUES = { celery: {}, all: { exchange: 'everybody', exchange_type: 'fanout' } };

let server: TestRedis;
let url: string;
let redis: RedisPort;
let ours: RunningWorker[];
let theirs: RunningWorker;
let client: Celeriac;
let file: string;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  client = new Celeriac('client', {
    broker_url: url,
    result_backend: url,
    task_queues: { ...QUEUES, news: new Broadcast('news') },
  });
  const env = { INTEROP_BROADCAST: 'news' };
  [theirs, ...ours] = await Promise.all([
    startPythonWorker({ broker: url }, { app: 'broadcast_app', args: ['-P', 'solo'] }),
    startWorker({ broker: url }, { env, args: ['-n', 'one@%h'] }),
    startWorker({ broker: url }, { env, args: ['-n', 'two@%h', '-P', 'solo'] }),
    startWorker({ broker: url }, { settings: { task_queues: QUEUES }, args: ['-n', 'all@%h'] }),
  ]);
});
afterAll(async () => {
  await client.close();
  for (const worker of [...ours, theirs]) {
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).not.toMatch(/CRITICAL|Unrecoverable|Traceback/);
  }
  // A broadcast's queue goes with its worker, its binding too, as kombu's does.
  expect(await redis.command('EXISTS', '_kombu.binding.news')).toBe(0);
  await redis.close();
  await server.stop();
});
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'celeriac-broadcast-')), 'ran');
});

const runs = (): number => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0);
const mark = (options: SendOptions, task = 'tasks.mark'): Promise<unknown> =>
  client.sendTask(task, { args: [file, 'x'], ...options });

async function expectRuns(count: number): Promise<void> {
  await until(`${count} runs`, () => runs() >= count);
  // One too many would come now.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(runs()).toBe(count);
}

async function expectNothingHeld(): Promise<void> {
  const held = async (): Promise<string[]> =>
    ((await redis.command('KEYS', '*')) as string[]).filter((key) => /^(unacked(_index)?|bcast.*)$/.test(key));
  await until('nothing held', async () => (await held()).length === 0);
}

test('each worker has a queue of its own, bound as kombu binds a Broadcast', async () => {
  const bindings = (await redis.command('SMEMBERS', '_kombu.binding.news')) as string[];
  expect(bindings).toHaveLength(3);
  for (const binding of bindings) {
    const [key, pattern, queue] = binding.split(SEPARATOR);
    expect([key, pattern]).toEqual(['celery', '']);
    expect(queue).toMatch(/^bcast\.[0-9a-f-]{36}$/);
  }
});

test('a TypeScript client reaches all of them, the Python one too', async () => {
  await mark({ queue: 'news' });
  await expectRuns(3);
  await expectNothingHeld();
});

test('with late acknowledgement too, and after a countdown', async () => {
  await mark({ queue: 'news' }, 'tasks.mark_late');
  await expectRuns(3);
  await mark({ queue: 'news', countdown: 0.5 });
  await expectRuns(6);
  await expectNothingHeld();
});

test('a Python client declares no Broadcast and pushes copies into lists: the celeriac workers run theirs', async () => {
  const program = `
from kombu.common import Broadcast
app.conf.task_queues = [Broadcast('news')]
app.send_task('tasks.mark', args=[${JSON.stringify(file)}, 'x'], queue='news')`;
  await python({ broker: url }, program);
  // Python workers do not look there: 2 of 3. See src/broker/fanout-consumer.ts.
  await expectRuns(2);
  const left = (await redis.command('KEYS', 'bcast.*')) as string[];
  expect(left).toHaveLength(1);
  await redis.command('DEL', ...left);
});

test('a Python client reaches a celeriac worker through a fanout exchange it declares', async () => {
  const program = `app.send_task('tasks.mark', args=[${JSON.stringify(file)}, 'x'], queue='all')`;
  await python({ broker: url }, program, { task_queues: QUEUES });
  await expectRuns(1);
});

test('its result is that of one of them', async () => {
  const result = await client.sendTask<string>('tasks.who', { queue: 'news' });
  expect(await result.get({ timeout: 10 })).toMatch(/^(one|two|python)@/);
});
