/** Signals to a worker that has work: what runs, what goes back, how it ends. And routes and annotations on the road. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Celeriac } from '../../../src/index.ts';
import { openRedis } from '../../../src/redis/connection.ts';
import { parseRedisTarget } from '../../../src/redis/url.ts';
import { startWorker, type RunningWorker } from '../../support/processes.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

let server: TestRedis;
let broker: string;
let app: Celeriac;
const workers: RunningWorker[] = [];

beforeAll(async () => {
  server = await testRedis();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) if (worker.child.exitCode === null) await worker.kill();
  await app.close();
});
afterAll(async () => {
  await server.stop();
});

async function start(options: Parameters<typeof startWorker>[1] = {}): Promise<RunningWorker> {
  broker = server.freshDb();
  app = new Celeriac('shutdown', { brokerUrl: broker, resultBackend: broker });
  const worker = await startWorker({ broker }, options);
  workers.push(worker);
  return worker;
}

async function lengthOf(queue: string): Promise<unknown> {
  const redis = openRedis(parseRedisTarget(broker, { setting: 'broker_url' }));
  try {
    return await redis.command('LLEN', queue);
  } finally {
    await redis.close();
  }
}

async function exit(worker: RunningWorker, signals: readonly NodeJS.Signals[]): Promise<number | null> {
  const exited = once(worker.child, 'exit') as Promise<[number | null]>;
  for (const [index, signal] of signals.entries()) {
    // Each is heard before the next comes.
    const before = worker.output().length;
    worker.child.kill(signal);
    if (index < signals.length - 1) await until('the signal is heard', () => worker.output().length > before);
  }
  return (await exited)[0];
}

test('TERM: what runs is finished, what waits goes back', async () => {
  const worker = await start({ args: ['-c', '1'] });
  const running = await app.sendTask('tasks.sleep', { args: [1] });
  await app.sendTask('tasks.add', { args: [1, 1] });
  await until('it runs', () => worker.output().split(' received').length >= 2);
  expect(await exit(worker, ['SIGTERM'])).toBe(0);
  expect(await running.state()).toBe('SUCCESS');
  expect(await lengthOf('celery')).toBe(1);
});

test.each([
  ['QUIT', ['SIGQUIT'], 0],
  ['INT twice', ['SIGINT', 'SIGINT'], 1],
  ['TERM, then QUIT', ['SIGTERM', 'SIGQUIT'], 0],
] as const)('%s: what runs and acknowledges late goes back at once', async (_name, signals, code) => {
  const worker = await start();
  await app.sendTask('tasks.sleep_late', { args: [30] });
  await until('it runs', () => worker.output().includes(' received'));
  const startedAt = Date.now();
  expect(await exit(worker, signals)).toBe(code);
  expect(Date.now() - startedAt).toBeLessThan(8_000);
  expect(await lengthOf('celery')).toBe(1);
});

test('QUIT with worker_soft_shutdown_timeout: short tasks end, long ones go back', async () => {
  const worker = await start({ settings: { worker_soft_shutdown_timeout: 2.5 } });
  const short = await app.sendTask('tasks.sleep_late', { args: [1] });
  await app.sendTask('tasks.sleep_late', { args: [30] });
  await until('both run', () => worker.output().split(' received').length === 3);
  expect(await exit(worker, ['SIGQUIT'])).toBe(0);
  expect(await short.state()).toBe('SUCCESS');
  expect(await lengthOf('celery')).toBe(1);
});

test('REMAP_SIGTERM=SIGQUIT makes TERM a cold stop', async () => {
  const worker = await start({ env: { REMAP_SIGTERM: 'SIGQUIT' } });
  await app.sendTask('tasks.sleep_late', { args: [30] });
  await until('it runs', () => worker.output().includes(' received'));
  expect(await exit(worker, ['SIGTERM'])).toBe(0);
  expect(worker.output()).toContain('worker: Cold shutdown (MainProcess)');
  expect(await lengthOf('celery')).toBe(1);
});

test('routes and annotations of the settings take effect', async () => {
  const settings = { task_annotations: { 'tasks.mark': { max_retries: 7 }, 'tasks.sleep': { time_limit: 0.3 } } };
  await start({ settings, args: ['-Q', 'sums,celery'] });
  const client = new Celeriac('routed', {
    brokerUrl: broker,
    resultBackend: broker,
    taskRoutes: [(name: string) => (name === 'tasks.echo' ? 'nobody' : null), { 'tasks.a*': { queue: 'sums' } }],
    taskAnnotations: { 'mine.task': { queue: 'elsewhere' } },
  });
  try {
    expect(await (await client.sendTask('tasks.add', { args: [2, 2] })).get({ timeout: 10 })).toBe(4);
    await client.sendTask('tasks.echo', { args: [1] });
    expect(await lengthOf('nobody')).toBe(1);
    await client.task('mine.task', () => null).delay();
    expect(await lengthOf('elsewhere')).toBe(1);
    const limited = await client.sendTask('tasks.sleep', { args: [20] });
    await expect(limited.get({ timeout: 10 })).rejects.toThrow('TimeLimitExceeded');
  } finally {
    await client.close();
  }
});
