/** A TypeScript client and a Python worker that has never heard of celeriac. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Celeriac, DateTime, Decimal, TaskError, TaskRevokedError, TimeoutError } from '../../src/index.ts';
import { startPythonWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let url: string;
let worker: RunningWorker;
let app: Celeriac;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  worker = await startPythonWorker({ broker: url }, { args: ['-P', 'threads', '-c', '4'] });
  app = new Celeriac('client', { brokerUrl: url, resultBackend: url });
});
afterAll(async () => {
  await app.close();
  expect(await worker.stop()).toBe(0);
  expect(worker.output()).not.toMatch(/CRITICAL|Unrecoverable/);
  await server.stop();
});

test('a task registered here is sent typed, and runs there', async () => {
  const add = app.task('tasks.add', (x: number, y: number) => x + y);
  expect(await (await add.delay(2, 2)).get({ timeout: 10 })).toBe(4);
  await expect(add.applyAsync({ args: [1] as never })).rejects.toThrow("missing 1 required positional argument: 'y'");
});

test('values go there and come back as they were', async () => {
  const values = [
    null,
    true,
    1.5,
    2n ** 70n,
    'naïve ☃ 😀',
    [1, [2]],
    { a: { b: null } },
    new Decimal('1.10'),
    Buffer.from([255, 0]),
    new DateTime('2026-01-02T03:04:05.678901+00:00'),
  ];
  for (const value of values) {
    const result = await app.sendTask('tasks.echo', { args: [value] });
    expect(await result.get({ timeout: 10 })).toEqual(value);
  }
});

test('a remote failure is a TaskError with the three fields and the traceback; a registered class is thrown instead', async () => {
  const result = await app.sendTask('tasks.fail', { args: ['no'] });
  const error: unknown = await result.get({ timeout: 10 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TaskError);
  expect(error).toMatchObject({ excType: 'ValueError', excMessage: ['no'], excModule: 'builtins' });
  expect((error as TaskError).traceback).toContain('raise ValueError');
  class ValueError extends Error {}
  app.errorClass('builtins.ValueError', ValueError);
  await expect((await app.sendTask('tasks.fail', { args: ['no'] })).get({ timeout: 10 })).rejects.toBeInstanceOf(
    ValueError,
  );
});

test('compression, countdown, expiry and time-outs', async () => {
  for (const compression of ['gzip', 'brotli', 'zstd']) {
    const result = await app.sendTask<string>('tasks.echo', { args: ['x'.repeat(5000)], compression });
    expect(await result.get({ timeout: 10 })).toHaveLength(5000);
  }
  const start = Date.now();
  await (await app.sendTask('tasks.add', { args: [1, 1], countdown: 1 })).get({ timeout: 10 });
  expect(Date.now() - start).toBeGreaterThan(950);
  const expired = await app.sendTask('tasks.add', { args: [1, 1], expires: new Date(Date.now() - 1000) });
  await expect(expired.get({ timeout: 10 })).rejects.toBeInstanceOf(TaskRevokedError);
  await expect((await app.sendTask('tasks.sleep', { args: [2] })).get({ timeout: 0.2 })).rejects.toBeInstanceOf(
    TimeoutError,
  );
});

test('states on the way are seen, and a result can be forgotten', async () => {
  const result = await app.sendTask('tasks.progress');
  const states: string[] = [];
  expect(await result.get({ timeout: 10, onUpdate: (meta) => states.push(meta.status) })).toBe('done');
  expect(states).toContain('PROGRESS');
  expect(await result.ready()).toBe(true);
  await result.forget();
  expect(await result.state()).toBe('PENDING');
});

test('2,000 tasks sent in one turn all come back', async () => {
  const results = await Promise.all(
    Array.from({ length: 2000 }, (_, i) => app.sendTask<number>('tasks.add', { args: [i, 1] })),
  );
  const sums = await Promise.all(results.map((result) => result.get({ timeout: 30 })));
  expect(sums.reduce((a, b) => a + b, 0)).toBe(2001000);
});
