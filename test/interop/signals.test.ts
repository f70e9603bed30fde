/** Each signal of one scenario, as a Python worker sends it and as ours does: the same ones, in the same order, with the same said. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

type Line = [taskId: string | null, signal: string, ...details: unknown[]];

let server: TestRedis;
let redis: RedisPort;
let url: string;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const SCENARIO = `
import time, uuid, base64, redis as r
def send(name, id, args=(), **options):
    return app.send_task(name, args=args, task_id=id, **options)
def settled(result):
    try: result.get(timeout=10)
    except Exception: pass
settled(send('tasks.add', 'success', [2, 3]))
settled(send('tasks.fail', 'failure'))
settled(send('tasks.retry', 'retry'))
app.control.revoke('revoked')
time.sleep(0.5)
settled(send('tasks.add', 'revoked', [1, 1]))
settled(send('tasks.add', 'expired', [1, 1], expires=-1))
settled(send('tasks.nobody_knows', 'unknown'))
send('tasks.ignore', 'ignore')
send('tasks.reject', 'reject')
# No task at all: neither headers nor a body that says one.
client = r.Redis.from_url(os.environ['INTEROP_BROKER'])
client.lpush('celery', json.dumps({'body': base64.b64encode(b'{"no": "task"}').decode(), 'content-type': 'application/json',
    'content-encoding': 'utf-8', 'headers': {}, 'properties': {'delivery_tag': str(uuid.uuid4()), 'delivery_mode': 2,
    'delivery_info': {'exchange': '', 'routing_key': 'celery'}, 'priority': 0, 'body_encoding': 'base64'}}))
settled(send('tasks.add', 'last', [1, 1]))`;

async function record(start: (file: string) => Promise<RunningWorker>): Promise<Line[]> {
  await redis.command('FLUSHDB');
  const file = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'signals');
  const worker = await start(file);
  const lines = (): Line[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Line)
      : [];
  try {
    await python({ broker: url }, `import os\n${SCENARIO}`);
    await until('the last task is over', () =>
      ['ignore', 'reject', 'last'].every((id) => lines().some((line) => line[0] === id && line[1] === 'taskPostrun')),
    );
    await until('the bad message is refused', () => lines().some(([, signal]) => signal === 'taskRejected'));
  } catch (error) {
    throw new Error(`the worker wrote:\n${worker.output()}`, { cause: error });
  } finally {
    expect(await worker.stop()).toBe(0);
  }
  return lines();
}

/** What was sent for each task; a result is stored before its signals are sent, so tasks overlap and lines of two may mix. */
function byTask(lines: readonly Line[]): Record<string, unknown[]> {
  const tasks: Record<string, unknown[]> = {};
  for (const [id, ...rest] of lines) if (id !== null) (tasks[id] ??= []).push(rest);
  return tasks;
}

const ofWorker = (lines: readonly Line[]): unknown[] =>
  lines.filter(([id, signal]) => id === null && signal !== 'taskRejected').map(([, ...rest]) => rest);

test('success, failure, retry, revoked, expired, unknown, ignored, rejected: as Celery sends them', async () => {
  const theirs = await record((file) =>
    startPythonWorker({ broker: url }, { app: 'signals_app', env: { SIGNALS_FILE: file } }),
  );
  const ours = await record((file) =>
    startWorker(
      { broker: url },
      {
        app: join(import.meta.dirname, '..', 'fixtures', 'apps', 'signals.mjs'),
        args: ['-P', 'solo'],
        env: { SIGNALS_FILE: file },
      },
    ),
  );
  expect(byTask(ours)).toEqual(byTask(theirs));
  // So that two empty recordings are not the same.
  expect(byTask(theirs)).toMatchObject({
    success: [
      ['taskReceived', 'tasks.add', 0],
      ['taskPrerun', 'tasks.add', true, [2, 3], {}],
      ['taskSuccess', 'tasks.add', 5],
      ['taskPostrun', 'tasks.add', 5, 'SUCCESS'],
    ],
    failure: [['taskReceived'], ['taskPrerun'], ['taskFailure', 'tasks.fail', 'ValueError', []], ['taskPostrun']].map(
      (line) => expect.arrayContaining(line),
    ),
    revoked: [['taskRevoked', false, null, false]],
    expired: [['taskRevoked', false, null, true]],
    unknown: [['taskUnknown', 'tasks.nobody_knows']],
  });
  const names = (byTask(theirs)['retry'] as Line[]).map(([signal]) => signal);
  expect(names).toEqual([
    ...['taskReceived', 'taskPrerun', 'beforeTaskPublish', 'afterTaskPublish', 'taskRetry', 'taskPostrun'],
    ...['taskReceived', 'taskPrerun', 'taskSuccess', 'taskPostrun'],
  ]);
  const refusals = (lines: readonly Line[]): number => lines.filter(([, signal]) => signal === 'taskRejected').length;
  expect([refusals(theirs), refusals(ours)]).toEqual([1, 1]);

  expect(ofWorker(theirs)).toEqual([
    ['workerInit', true],
    ['afterSetupLogger', 'info', true],
    ['workerProcessInit'],
    ['celerydAfterSetup', true],
    ['workerReady', true],
    ['workerShuttingDown', 'SIGTERM', 'Warm', 0],
    ['workerShutdown', true],
  ]);
  // Ours logs before there is a worker.
  const [init, logger, ...rest] = ofWorker(theirs);
  expect(ofWorker(ours)).toEqual([logger, init, ...rest]);
});
