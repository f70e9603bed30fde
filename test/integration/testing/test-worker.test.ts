/** `startTestWorker` on a real Redis, and through it the parts of the task author's side that need one. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { RedisPort } from '../../../src/redis/port.ts';
import { Celeriac, defineResource, TaskError, type TaskContext } from '../../../src/index.ts';
import { startTestWorker, type TestWorker, type TestWorkerOptions } from '../../../src/testing/index.ts';
import { testPort } from '../../support/channel.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';

let server: TestRedis;
let worker: TestWorker | undefined;
let redis: RedisPort | undefined;
const lines: string[] = [];

beforeAll(async () => {
  server = await testRedis();
});
afterAll(async () => {
  await server.stop();
});
afterEach(async () => {
  await worker?.stop();
  await redis?.close();
  worker = redis = undefined;
  // Neither the run nor a stop soon after the start is cause for alarm.
  expect(lines.splice(0).filter((line) => line.startsWith('CRITICAL'))).toEqual([]);
});

function newApp(settings: object = {}): Celeriac {
  const url = server.freshDb();
  redis = testPort(url);
  const app = new Celeriac('test', { brokerUrl: url, resultBackend: url, ...settings });
  app.configure({ logger: keepingLogger(lines) });
  return app;
}

async function start(app: Celeriac, options: TestWorkerOptions = {}): Promise<TestWorker> {
  worker = await startTestWorker(app, options);
  return worker;
}

describe('a worker in the test process', () => {
  test('answers, is idle when all is done, and can be stopped and started again', async () => {
    const app = newApp();
    const done: number[] = [];
    const step = app.task('step', async (n: number): Promise<void> => {
      await sleep(5);
      if (n > 0) await step.delay(n - 1);
      done.push(n);
    });
    const { idle, stop } = await start(app, { concurrency: 2 });
    for (let n = 0; n < 20; n += 1) await step.delay(2);
    await idle();
    expect(done.length).toBe(60);
    await stop();
    await stop();
    const again = await start(app);
    await step.delay(0);
    await again.idle();
    expect(done.length).toBe(61);
  });

  test('waits for what is scheduled only when asked, and says what keeps it busy', async () => {
    const app = newApp();
    let ran = 0;
    const later = app.task('later', () => void (ran += 1));
    const slow = app.task('slow', async () => sleep(300));
    const { idle } = await start(app);
    await later.applyAsync({ countdown: 0.3 });
    await idle();
    expect(ran).toBe(0);
    await idle({ scheduled: true });
    expect(ran).toBe(1);
    const { id } = await slow.delay();
    await sleep(50);
    await expect(idle({ timeout: 0.05 })).rejects.toThrow(`slow[${id}]`);
    await idle();
  });

  test('consumes from another Redis than the settings name', async () => {
    const app = new Celeriac('elsewhere', {
      brokerUrl: 'redis://127.0.0.1:1/0',
      resultBackend: 'redis://127.0.0.1:1/0',
    });
    const add = app.task('add', (x: number, y: number) => x + y);
    await start(app, { redisUrl: server.freshDb() });
    expect(await (await add.delay(1, 2)).get({ timeout: 5 })).toBe(3);
  });
});

describe('what is borrowed', () => {
  test('is committed before the result is seen, and rolled back for a failure or a retry', async () => {
    const app = newApp();
    const log: string[] = [];
    const database = defineResource({
      open: () => 'db',
      commit: async () => {
        await sleep(20);
        log.push('commit');
      },
      rollback: (_db, error) => log.push(`rollback ${(error as Error).message}`),
      close: () => log.push('close'),
    });
    const write = app.task('write', { bind: true }, async (task: TaskContext, how: string) => {
      await task.resource(database);
      if (how === 'fail') throw new Error('no');
      if (how === 'retry' && task.request.retries === 0) throw task.retry({ countdown: 0 });
      return how;
    });
    await start(app);
    await (await write.delay('ok')).get({ timeout: 5 });
    expect(log.splice(0)).toEqual(['commit', 'close']);
    await expect((await write.delay('fail')).get({ timeout: 5 })).rejects.toThrow(TaskError);
    expect(log.splice(0)).toEqual(['rollback no', 'close']);
    await (await write.delay('retry')).get({ timeout: 5 });
    expect(log.splice(0)).toEqual(['rollback Retry in 0s', 'close', 'commit', 'close']);
  });

  test('fails the task when it cannot be committed', async () => {
    const app = newApp();
    const broken = defineResource({
      open: () => 1,
      commit: () => {
        throw new RangeError('disk full');
      },
    });
    const task = app.task('t', { bind: true }, async (self) => self.resource(broken));
    await start(app);
    await expect((await task.delay()).get({ timeout: 5 })).rejects.toMatchObject({ excMessage: ['disk full'] });
  });

  test('is given back at the hard time limit', async () => {
    const app = newApp();
    const log: string[] = [];
    const lock = defineResource({
      open: () => 1,
      commit: () => log.push('commit'),
      rollback: () => log.push('rollback'),
    });
    const task = app.task('t', { bind: true, timeLimit: 0.2, softTimeLimit: 0.1 }, async (self) => {
      await self.resource(lock);
      await sleep(400);
    });
    await start(app);
    await expect((await task.delay()).get({ timeout: 5 })).rejects.toMatchObject({ excType: 'TimeLimitExceeded' });
    expect(log).toEqual(['rollback']);
    await sleep(300); // the handler returns meanwhile
    expect(log).toEqual(['rollback']);
  });
});

describe('hooks', () => {
  test('hold the slot: in pool solo no task runs beside the hooks of another', async () => {
    const app = newApp();
    const log: string[] = [];
    const options = {
      onSuccess: async (): Promise<void> => {
        log.push('hook');
        await sleep(30);
        log.push('hooked');
      },
    };
    const task = app.task('t', options, () => void log.push('run'));
    const { idle } = await start(app, { pool: 'solo' });
    await task.delay();
    await task.delay();
    await idle();
    expect(log).toEqual(['run', 'hook', 'hooked', 'run', 'hook', 'hooked']);
  });

  test('that throw fail the task loudly, and the worker stays', async () => {
    const app = newApp();
    const bad = (): never => {
      throw new RangeError('bad hook');
    };
    const task = app.task('t', { onSuccess: bad, onFailure: bad, acksLate: true }, () => 1);
    const add = app.task('add', (x: number, y: number) => x + y);
    const { idle } = await start(app);
    const result = await task.delay();
    await idle();
    expect(await result.state()).toBe('SUCCESS');
    expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([
      expect.stringMatching(/^ERROR Task t\[.*\] raised unexpected: RangeError\('bad hook'\)/),
      expect.stringMatching(/its onFailure raised RangeError\('bad hook'\) when told of that/),
    ]);
    expect(await redis?.command('HLEN', 'unacked')).toBe(0);
    expect(await (await add.delay(1, 1)).get({ timeout: 5 })).toBe(2);
  });
});

describe('task.checkpoint', () => {
  test('is a key of a day beside the results, there for the next run', async () => {
    const app = newApp();
    const task = app.task('t', { bind: true }, async (self) => {
      const saved = await self.checkpoint.load<{ at: number }>();
      if (saved !== null) {
        await self.checkpoint.clear();
        return saved.at;
      }
      await self.checkpoint.save({ at: 41 });
      throw self.retry({ countdown: 0.2 });
    });
    const { idle } = await start(app);
    const result = await task.delay();
    await idle();
    const key = `checkpoint:${result.id}`;
    expect(JSON.parse((await redis?.command('GET', key)) as string)).toMatchObject({
      task_name: 't',
      data: { at: 41 },
    });
    const ttl = (await redis?.command('TTL', key)) as number;
    expect(ttl).toBeGreaterThan(86_390);
    expect(ttl).toBeLessThanOrEqual(86_400);
    expect(await result.get({ timeout: 5 })).toBe(41);
    expect(await redis?.command('EXISTS', key)).toBe(0);
  });

  test('needs a result backend, and says so', async () => {
    const app = newApp({ resultBackend: null });
    const task = app.task('t', { bind: true }, async (self) => self.checkpoint.save(1));
    const { idle } = await start(app);
    await task.delay();
    await idle();
    expect(lines.join('\n')).toContain('checkpoints are kept in the result backend, and none is configured');
  });
});

describe('eager results', () => {
  test('are stored with the rest under task_store_eager_result', async () => {
    const app = newApp({ taskAlwaysEager: true, taskStoreEagerResult: true });
    const task = app.task('t', { bind: true }, async (self: TaskContext, fail: boolean) => {
      if (fail) throw new TypeError('no');
      await self.updateState({ state: 'CUSTOM', meta: 1 });
      return (await app.asyncResult(self.request.id).meta()).status;
    });
    const { id } = await task.delay(false);
    expect(await app.asyncResult(id).get({ timeout: 5 })).toBe('CUSTOM');
    const failed = await task.delay(true);
    expect(await app.asyncResult(failed.id).state()).toBe('FAILURE');
    await app.close();
  });
});

test('modules of include, imports and autodiscoverTasks are loaded before the worker starts', async () => {
  const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'discovered');
  const app = newApp({ include: [join(folder, 'included.mjs')], imports: [join(folder, 'imported.cjs')] });
  app.autodiscoverTasks(['../../fixtures/discovered/tasks'], { from: import.meta.url });
  Reflect.set(globalThis, 'appUnderDiscovery', app);
  await start(app);
  expect(app.registry.names()).toEqual(['discovered.deep', 'discovered.mails', 'imported', 'included']);
  expect(await (await app.sendTask('discovered.deep')).get({ timeout: 5 })).toBe('deep');
  app.autodiscoverTasks(['./no-such-folder']);
  await expect(app.loadTasks()).rejects.toThrow(/no-such-folder: there is no such module/);
});
