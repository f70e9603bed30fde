/**
 * celery-node 0.5.9 beside us: its client and our worker, our `celeriac/celery-node` and its worker, both workers on one
 * queue; and what broke there, shown there and mended here, with one and the same user's program.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { launch, python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const THEIRS = 'celery-node';
const OURS = 'celeriac/celery-node';
type Module = typeof THEIRS | typeof OURS;

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'celery-node');
const READY = { [THEIRS]: /worker starting/, [OURS]: / ready\./ };

let server: TestRedis;
let url: string;
let redis: RedisPort;
let running: RunningWorker[] = [];

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
afterEach(async () => {
  for (const worker of running) if (worker.child.exitCode === null) await worker.kill();
  running = [];
});

function environment(module: Module): NodeJS.ProcessEnv {
  return { ...process.env, CELERY_MODULE: module, INTEROP_BROKER: url, INTEROP_BACKEND: url };
}

async function startTheir(module: Module, settings: object = {}): Promise<RunningWorker> {
  const worker = await launch(
    process.execPath,
    [join(fixtures, 'worker.cjs')],
    { ...environment(module), SETTINGS: JSON.stringify(settings) },
    READY[module],
  );
  running.push(worker);
  return worker;
}

async function runClient(module: Module): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(fixtures, 'client.cjs')], {
    env: environment(module),
    timeout: 30_000,
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** What one and the same client program prints, whoever it imports and whoever answers. */
const PRINTED = {
  delay: 5,
  applyAsync: 9,
  sendTask: 13,
  known: ['chosen-id', 'SUCCESS', 13, 13],
  nobody: [null, null, { message: 'TIMEOUT', isError: true }],
  badArgs: 'args is not array',
};
const FAILED = { message: 'FAILURE', exc_type: 'TypeError', exc_message: ['no good'], isError: true };

describe('clients and workers', () => {
  test.each<[client: Module, worker: Module, failed: object]>([
    [THEIRS, OURS, FAILED],
    [OURS, OURS, FAILED],
    // Their worker stores nothing of an error, so nobody can be told.
    [OURS, THEIRS, { message: 'FAILURE', isError: true }],
  ])('a client of %s on a worker of %s', async (client, worker, failed) => {
    await startTheir(worker);
    expect(await runClient(client)).toMatchObject({
      ...PRINTED,
      failed,
      conf: {
        CELERY_BROKER: url,
        CELERY_BROKER_OPTIONS: {},
        CELERY_BACKEND: url,
        CELERY_BACKEND_OPTIONS: {},
        CELERY_QUEUE: 'celery',
        TASK_PROTOCOL: 2,
      },
    });
  });

  test('the clients of both on a worker of the command line, and on a Python worker', async () => {
    for (const start of [startWorker, startPythonWorker]) {
      const worker = await start({ broker: url });
      const failed = { ...FAILED, exc_type: 'ValueError' };
      for (const client of [THEIRS, OURS] as const) {
        expect(await runClient(client)).toMatchObject({ ...PRINTED, failed });
        await redis.command('DEL', 'celery-task-meta-chosen-id');
      }
      expect(await worker.stop()).toBe(0);
    }
  });

  test('both workers on one queue: every task is answered, each takes part', async () => {
    await Promise.all([startTheir(THEIRS), startTheir(OURS)]);
    const program = `
results = [app.send_task('tasks.who') for _ in range(200)]
print(json.dumps([r.get(timeout=20) for r in results]))`;
    const answers = (await python({ broker: url }, program)) as string[];
    expect(answers).toHaveLength(200);
    expect(new Set(answers)).toEqual(new Set([THEIRS, OURS]));
  });

  test("a handler gets the arguments and, always, the keywords behind them: celery-node's convention", async () => {
    const program = `
out = [app.send_task('tasks.args', args=a, kwargs=k).get(timeout=10) for a, k in [([1], {}), ([], {}), ([1, [2]], {'a': {'b': 3}}), ([], {'args': 1, 'kwargs': 2})]]
print(json.dumps(out))`;
    const outcomes: unknown[] = [];
    for (const module of [THEIRS, OURS] as const) {
      const worker = await startTheir(module);
      outcomes.push(await python({ broker: url }, program));
      await worker.kill();
    }
    expect(outcomes[0]).toEqual([[1, {}], [{}], [1, [2], { a: { b: 3 } }], [{ args: 1, kwargs: 2 }]]);
    expect(outcomes[1]).toEqual(outcomes[0]);
  });
});

/** Each row: what a Python program sees with a worker of celery-node, and of celeriac/celery-node. */
interface Row {
  readonly what: string;
  readonly program: string;
  readonly theirs: unknown;
  readonly ours: unknown;
}

const THEN_ADD = `
try:
    print(json.dumps(app.send_task('tasks.add', args=[1, 2]).get(timeout=1.5)))
except Exception as exc:
    print(json.dumps(type(exc).__name__))`;

const errorOf = (name: string): string => `
try:
    print(json.dumps(['returned', app.send_task('${name}', args=['no good']).get(timeout=5)]))
except Exception as exc:
    print(json.dumps([type(exc).__name__, [str(arg) for arg in exc.args]]))`;

const rows: Row[] = [
  {
    what: 'an unknown task ends nothing but itself',
    program: `app.send_task('tasks.nobody_knows')${THEN_ADD}`,
    theirs: 'TimeoutError',
    ours: 3,
  },
  {
    what: 'an unknown task is answered',
    program: errorOf('tasks.nobody_knows').replace('timeout=5', 'timeout=1.5'),
    theirs: ['TimeoutError', ['The operation timed out.']],
    ours: ['NotRegistered', ['tasks.nobody_knows']],
  },
  {
    what: 'msgpack is read',
    program: `app.send_task('tasks.add', args=[1, 1], serializer='msgpack')${THEN_ADD}`,
    theirs: 'TimeoutError',
    ours: 3,
  },
  {
    what: 'compressed messages are read',
    program: `app.send_task('tasks.add', args=[1, 1], compression='zlib')${THEN_ADD}`,
    theirs: 'TimeoutError',
    ours: 3,
  },
  {
    what: 'what an asynchronous handler throws reaches Python',
    program: errorOf('tasks.fail'),
    theirs: ['RuntimeError', ['No active exception to reraise']],
    ours: ['TypeError', ['no good']],
  },
  {
    what: 'what a handler throws at once reaches Python',
    program: errorOf('tasks.fail_at_once'),
    theirs: ['RuntimeError', ['No active exception to reraise']],
    ours: ['RangeError', ['no good']],
  },
  {
    what: 'returning nothing is None',
    program: errorOf('tasks.nothing'),
    theirs: ['KeyError', ['result']],
    ours: ['returned', null],
  },
  {
    what: 'a result is no traceback',
    program: `
r = app.send_task('tasks.add', args=[1, 2])
r.get(timeout=5)
print(json.dumps(r.traceback))`,
    theirs: 3,
    ours: null,
  },
  {
    what: 'a countdown is waited for',
    program: `
import time
start = time.time()
app.send_task('tasks.add', args=[1, 2], countdown=1).get(timeout=5)
print(json.dumps(time.time() - start > 0.9))`,
    theirs: false,
    ours: true,
  },
  {
    what: 'an expired task does not run',
    program: `
try:
    print(json.dumps(app.send_task('tasks.add', args=[1, 2], expires=-5).get(timeout=5)))
except Exception as exc:
    print(json.dumps(type(exc).__name__))`,
    theirs: 3,
    ours: 'TaskRevokedError',
  },
  {
    what: 'every priority is served',
    program: `
rs = [app.send_task('tasks.add', args=[1, p], priority=p) for p in (0, 3, 6, 9)]
import time
time.sleep(1.5)
print(json.dumps([r.status for r in rs]))`,
    theirs: ['SUCCESS', 'PENDING', 'PENDING', 'PENDING'],
    ours: ['SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS'],
  },
  {
    what: 'ignore_result is heeded',
    program: `
r = app.send_task('tasks.add', args=[1, 2], ignore_result=True)
app.send_task('tasks.add', args=[1, 2]).get(timeout=5)
print(json.dumps(app.AsyncResult(r.id).status))`,
    theirs: 'SUCCESS',
    ours: 'PENDING',
  },
  {
    what: 'a revoked task does not run',
    program: `
r = app.send_task('tasks.add', args=[1, 2], countdown=1)
r.revoke()
import time
time.sleep(1.8)
print(json.dumps(r.status))`,
    theirs: 'SUCCESS',
    ours: 'REVOKED',
  },
  {
    what: 'inspect ping is answered',
    program: `print(json.dumps(list((app.control.inspect(timeout=0.7).ping() or {}).values())))`,
    theirs: [],
    ours: [{ ok: 'pong' }],
  },
];

describe('what breaks with celery-node works here, for the same program', () => {
  test.each(rows)('$what', async ({ program, theirs, ours }) => {
    const seen: unknown[] = [];
    for (const module of [THEIRS, OURS] as const) {
      const worker = await startTheir(module);
      seen.push(await python({ broker: url }, program));
      await worker.kill();
      await redis.command('FLUSHDB');
    }
    expect(seen).toEqual([theirs, ours]);
  });

  test('stop: theirs throws, ours finishes what runs, puts back what waits and lets the process end', async () => {
    const theirs = await startTheir(THEIRS);
    expect(await theirs.stop()).toBe(3);
    expect(theirs.output()).toContain('cannot stop: not implemented yet');

    const ours = await startTheir(OURS);
    await python({ broker: url }, `app.send_task('tasks.sleep', args=[1], task_id='runs')`);
    await until('it runs', () => ours.output().includes('tasks.sleep[runs] received'));
    expect(await ours.stop()).toBe(0);
    expect(JSON.parse((await redis.command('GET', 'celery-task-meta-runs')) as string)).toMatchObject({
      status: 'SUCCESS',
      result: 1,
    });
    expect(await redis.command('EXISTS', 'unacked', 'unacked_index')).toBe(0);
  });

  test('whenCurrentJobsFinished settles when what runs has ended, not before', async () => {
    const worker = await startTheir(OURS);
    await python({ broker: url }, `app.send_task('tasks.sleep', args=[1], task_id='runs')`);
    await until('it runs', () => worker.output().includes('tasks.sleep[runs] received'));
    worker.child.kill('SIGUSR2');
    await until('the end', () => worker.output().includes('current jobs finished'));
    expect(worker.output().indexOf('tasks.sleep[runs] succeeded')).toBeGreaterThan(0);
    expect(worker.output().indexOf('current jobs finished')).toBeGreaterThan(
      worker.output().indexOf('tasks.sleep[runs] succeeded'),
    );
  });

  test('kill -9: a task that was taken and had not started is not lost', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
    const settings = { celeriacLeaseSeconds: 3, celeriacRecoveryInterval: 0.5 };
    const first = await startTheir(OURS, settings);
    // Started: a hundred. Taken beyond that, and not started: those must survive.
    const program = `
for i in range(100): app.send_task('tasks.sleep', args=[60])
for i in range(20): app.send_task('tasks.mark', args=[${JSON.stringify(file)}, i])`;
    await python({ broker: url }, program);
    await until('some are taken ahead', async () => Number(await redis.command('HLEN', 'unacked')) > 0);
    await first.kill();
    await startTheir(OURS, settings);
    const marks = (): string[] => readFileSync(file, 'utf8').trim().split('\n');
    await until('all marks', () => new Set(marksOrNone(marks)).size === 20, 50_000);
    expect(
      marks()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

function marksOrNone(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return []; // not written yet
  }
}
