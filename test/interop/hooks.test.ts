/** The same tasks with hooks on a Python worker and on ours: called in the same order, seeing the same states. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Celeriac, TaskError } from '../../src/index.ts';
import { python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const app = join(import.meta.dirname, '..', 'fixtures', 'apps', 'hooks.mjs');

let server: TestRedis;
beforeAll(async () => {
  server = await testRedis();
});
afterAll(async () => {
  await server.stop();
});

interface Scenario {
  readonly task: string;
  readonly how: string;
  readonly hooks: number;
}

// The number of lines each leaves: those of Celery 5.6.3.
const scenarios: readonly Scenario[] = [
  { task: 'hooks.none', how: 'ok', hooks: 3 },
  { task: 'hooks.none', how: 'fail', hooks: 3 },
  { task: 'hooks.none', how: 'retry', hooks: 5 },
  { task: 'hooks.none', how: 'ignore', hooks: 1 },
  { task: 'hooks.none', how: 'reject', hooks: 1 },
  { task: 'hooks.none', how: 'no data', hooks: 3 },
  { task: 'hooks.beforeStart', how: 'ok', hooks: 3 },
  { task: 'hooks.onSuccess', how: 'ok', hooks: 3 },
  { task: 'hooks.onFailure', how: 'fail', hooks: 3 },
  { task: 'hooks.onRetry', how: 'retry', hooks: 6 },
  { task: 'hooks.afterReturn', how: 'ok', hooks: 4 },
  { task: 'hooks.afterReturn', how: 'fail', hooks: 4 },
  { task: 'hooks.onSuccess_onFailure', how: 'ok', hooks: 3 },
];

/** What the hooks of each scenario wrote, and how the task ended, on a worker that `start` starts. */
async function observe(start: (url: string) => Promise<RunningWorker>): Promise<Record<string, unknown>> {
  const url = server.freshDb();
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-hooks-'));
  const file = join(folder, 'lines');
  process.env['HOOKS_FILE'] = file;
  const worker = await start(url);
  const client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
  const seen: Record<string, unknown> = {};
  const lines = (): unknown[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown)
      : [];
  try {
    for (const { task, how, hooks } of scenarios) {
      rmSync(file, { force: true });
      const result = await client.sendTask(task, { args: [how] });
      await until(`${hooks} hooks of ${task} ${how}; saw ${JSON.stringify(lines())}`, () => lines().length >= hooks);
      const end = await result.info();
      seen[`${task} ${how}`] = [...lines(), await result.state(), end instanceof TaskError ? end.excType : end];
    }
    // All is settled, so whatever would still be called has been.
    await client.sendTask('tasks.echo', { args: [1] }).then((result) => result.get({ timeout: 10 }));
  } finally {
    await client.close();
    await worker.stop();
    rmSync(folder, { recursive: true });
  }
  return seen;
}

test('hooks run in the order of Celery, on the same stored states, also where one of them throws', async () => {
  const ours = await observe((url) => startWorker({ broker: url }, { app, args: ['-P', 'solo'] }));
  // Pool solo dies of an on_failure that throws twice.
  const args = ['-P', 'prefork', '-c', '1', '-I', 'hooks_app'];
  const theirs = await observe((url) => startPythonWorker({ broker: url }, { args }));
  expect(ours).toEqual(theirs);
  // So that two workers which call nothing would not do.
  expect(ours['hooks.none ok']).toEqual([
    ['beforeStart', 'PENDING'],
    ['onSuccess', 1, 'SUCCESS'],
    ['afterReturn', 'SUCCESS', 1, 'SUCCESS'],
    'SUCCESS',
    1,
  ]);
}, 120_000);

describe('an error class that chooses its Python face', () => {
  test('is raised in Python as the class of that name, with its arguments', async () => {
    const url = server.freshDb();
    process.env['HOOKS_FILE'] = '';
    const worker = await startWorker({ broker: url }, { app });
    const program = `
from interop_errors import NotFound
try:
    app.send_task('hooks.missing', args=['user', 5]).get(timeout=10)
except NotFound as exc:
    print(json.dumps([exc.kind, exc.key]))`;
    expect(await python({ broker: url }, program)).toEqual(['user', 5]);
    expect(await worker.stop()).toBe(0);
  }, 60_000);

  test('is what a Python failure of its name is thrown as here', async () => {
    class NotFound extends Error {
      readonly kind: string;
      readonly key: number;
      constructor(kind: string, key: number) {
        super(`no ${kind} ${key}`);
        this.kind = kind;
        this.key = key;
      }
    }
    const url = server.freshDb();
    const worker = await startPythonWorker({ broker: url }, { args: ['-P', 'solo', '-I', 'hooks_app'] });
    const client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
    client.errorClass('interop_errors.NotFound', NotFound);
    const error = await client
      .sendTask('hooks.missing', { args: ['user', 5] })
      .then((result) => result.get({ timeout: 10 }))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NotFound);
    expect(error).toBeInstanceOf(TaskError);
    expect(error).toMatchObject({ kind: 'user', key: 5, excModule: 'interop_errors' });
    await client.close();
    await worker.stop();
  }, 60_000);
});
