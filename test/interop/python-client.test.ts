/** A Python program that has never heard of celeriac sends tasks; TypeScript answers. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let server: TestRedis;
let url: string;
let redis: RedisPort;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
});

async function traces(): Promise<string[]> {
  const keys = (await redis.command('KEYS', '*')) as string[];
  return keys.filter((key) => key.startsWith('unacked') || key.startsWith('celeriac:') || key === 'celery');
}

describe('with one worker', () => {
  let worker: RunningWorker;

  beforeAll(async () => {
    worker = await startWorker({ broker: url });
  });
  afterAll(async () => {
    expect(await worker.stop()).toBe(0);
    // A clean stop leaves nothing but results and bindings.
    expect(await traces()).toEqual([]);
  });

  test('add.delay(2, 2).get() is 4', async () => {
    expect(await python({ broker: url }, 'print(json.dumps(add.delay(2, 2).get(timeout=10)))')).toBe(4);
  });

  test('values of every JSON kind, and typed ones, come back as they went', async () => {
    const program = `
import datetime, decimal, uuid, math
values = [None, True, 1.5, 2**70, -2**63, 'na\\u00efve \\u2603 \\U0001F600', [1, [2]], {'a': {'b': None}},
  datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc), datetime.datetime(2026, 1, 2), datetime.date(2026, 1, 2),
  datetime.time(3, 4, 5), decimal.Decimal('1.10'), uuid.UUID(int=5), b'abc', b'\\xff\\x00', float('inf')]
results = [echo.delay(value) for value in values]
back = [result.get(timeout=10) for result in results]
print(json.dumps([[repr(a), repr(b)] for a, b in zip(values, back) if a != b or type(a) != type(b)]))`;
    expect(await python({ broker: url }, program)).toEqual([]);
  });

  test('keyword arguments are bound by name, defaults apply', async () => {
    const program = `print(json.dumps([app.send_task('tasks.kwargs', args=[1]).get(timeout=10), app.send_task('tasks.kwargs', kwargs={'b': 5, 'a': 4}).get(timeout=10)]))`;
    expect(await python({ broker: url }, program)).toEqual([
      [1, 2, 0],
      [4, 5, 0],
    ]);
  });

  test('a failure raises the Python class it names, with its arguments', async () => {
    const program = `
try:
    fail.delay('no good').get(timeout=10)
except ValueError as exc:
    print(json.dumps([type(exc).__name__, exc.args]))`;
    expect(await python({ broker: url }, program)).toEqual(['ValueError', ['no good']]);
  });

  test("wrong arguments are a TypeError in Python's words", async () => {
    const program = `
try:
    app.send_task('tasks.add', args=[1]).get(timeout=10)
except TypeError as exc:
    print(json.dumps(str(exc)))`;
    expect(await python({ broker: url }, program)).toMatch(/missing 1 required positional argument: 'y'/);
  });

  test('an unknown task is NotRegistered, and its message is kept in the quarantine', async () => {
    const program = `
from celery.exceptions import NotRegistered
try:
    app.send_task('tasks.nobody_knows').get(timeout=10)
except NotRegistered as exc:
    print(json.dumps(str(exc)))`;
    expect(await python({ broker: url }, program)).toBe("'tasks.nobody_knows'");
    expect(await redis.command('XLEN', 'celeriac:quarantine')).toBe(1);
    await redis.command('DEL', 'celeriac:quarantine');
  });

  test('an ETA is kept, by the worker and by Redis', async () => {
    const program = `
import time
start = time.time()
result = add.apply_async((1, 1), countdown=1.5)
result.get(timeout=10)
print(json.dumps(time.time() - start))`;
    const seconds = (await python({ broker: url }, program)) as number;
    expect(seconds).toBeGreaterThan(1.4);
    expect(seconds).toBeLessThan(4);
  });

  test('an expired task is REVOKED and never runs', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
    const program = `
from celery.exceptions import TaskRevokedError
try:
    mark.apply_async((${JSON.stringify(file)}, 'x'), expires=-1).get(timeout=10)
except TaskRevokedError as exc:
    print(json.dumps(str(exc)))`;
    expect(await python({ broker: url }, program)).toBe('expired');
    expect(() => readFileSync(file)).toThrow();
  });

  test('priorities, msgpack with accept_content off, and compressions that kombu offers', async () => {
    const program = `
out = [add.apply_async((1, p), priority=p).get(timeout=10) for p in (0, 3, 6, 9, 5)]
out += [echo.apply_async(('x' * 5000,), compression=c).get(timeout=10) == 'x' * 5000 for c in ('gzip', 'bzip2', 'brotli', 'lzma', 'zstd')]
print(json.dumps(out))`;
    expect(await python({ broker: url }, program)).toEqual([1, 4, 7, 10, 6, true, true, true, true, true]);
  });

  test("states on the way are stored: STARTED with pid and host, then the task's own", async () => {
    const program = `
states = []
result = progress.delay()
result.get(timeout=10, on_message=lambda body: states.append([body['status'], body['result']]))
print(json.dumps(states))`;
    const states = (await python({ broker: url }, program)) as [string, unknown][];
    expect(states.map(([state]) => state)).toEqual(['STARTED', 'PROGRESS', 'SUCCESS']);
    expect(states[0]?.[1]).toEqual({ pid: worker.pid, hostname: expect.stringMatching(/^node@/) });
    expect(states[1]?.[1]).toEqual({ current: 1, total: 2 });
  });

  test('protocol 1 messages run too', async () => {
    expect(
      await python({ broker: url }, 'print(json.dumps(add.delay(2, 3).get(timeout=10)))', { task_protocol: 1 }),
    ).toBe(5);
  });

  test('celery inspect ping and active see the worker', async () => {
    const program = `
r = app.send_task('tasks.sleep', args=[1.5])
import time; time.sleep(0.4)
i = app.control.inspect(timeout=1)
ping, active = i.ping(), i.active()
r.get(timeout=10)
print(json.dumps([list(ping.values()), [t['name'] for t in list(active.values())[0]], app.control.inspect(timeout=1).active()]))`;
    const [ping, active, after] = (await python({ broker: url }, program)) as [
      unknown,
      unknown,
      Record<string, unknown[]>,
    ];
    expect(ping).toEqual([{ ok: 'pong' }]);
    expect(active).toEqual(['tasks.sleep']);
    expect(Object.values(after)).toEqual([[]]);
    expect(await redis.command('KEYS', '*reply.celery.pidbox*')).toEqual([]);
  });

  test('a revoked task that waits does not run', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
    const program = `
from celery.exceptions import TaskRevokedError
r = mark.apply_async((${JSON.stringify(file)}, 'x'), countdown=1)
r.revoke()
import time; time.sleep(0.3)
try:
    r.get(timeout=10)
except TaskRevokedError as exc:
    time.sleep(1.5)
    print(json.dumps(str(exc)))`;
    expect(await python({ broker: url }, program)).toBe('revoked');
    expect(() => readFileSync(file)).toThrow();
  });

  test('1,000 tasks sent at once all succeed', async () => {
    const program = `
rs = [add.delay(i, i) for i in range(1000)]
print(json.dumps(sum(r.get(timeout=30) for r in rs)))`;
    expect(await python({ broker: url }, program)).toBe(999000);
  });
});

test('a warm stop finishes what runs and puts the rest back in order, for a Python member to see', async () => {
  const worker = await startWorker({ broker: url }, { args: ['-c', '1'] });
  await python(
    { broker: url },
    `
for i in range(6):
    app.send_task('tasks.sleep', args=[1.0], task_id=f't{i}')`,
  );
  await until('the first runs', () => worker.output().includes('Task tasks.sleep[t0] received'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await worker.stop()).toBe(0);
  const ids = ((await redis.command('LRANGE', 'celery', 0, -1)) as string[])
    .reverse()
    .map((raw) => (JSON.parse(raw) as { headers: { id: string } }).headers.id);
  expect(ids).toEqual(['t1', 't2', 't3', 't4', 't5']);
  expect(await redis.command('EXISTS', 'unacked', 'unacked_index')).toBe(0);
  expect(JSON.parse((await redis.command('GET', 'celery-task-meta-t0')) as string)).toMatchObject({
    status: 'SUCCESS',
    result: 1,
  });
});
