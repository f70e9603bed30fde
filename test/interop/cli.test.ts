/** Our commands beside Celery's: what they print, what they end with, and what the one does the other sees. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPython, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '..', '..');
const ours = [process.execPath, join(root, 'dist', 'cli', 'main.js'), '-A', 'test/fixtures/apps/interop.mjs'];
const theirs = [findPython() ?? '', '-m', 'celery', '-A', 'interop_app'];
const both = [
  ['celeriac', ours],
  ['celery', theirs],
] as const;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// Each Python command takes a second or more to start.
jest.setTimeout(120_000);

let server: TestRedis;
let broker: string;
let folder: string;
const workers: RunningWorker[] = [];

beforeAll(async () => {
  server = await testRedis();
  broker = server.freshDb();
  folder = mkdtempSync(join(tmpdir(), 'celeriac-cli-'));
});
afterEach(async () => {
  for (const worker of workers.splice(0)) if (worker.child.exitCode === null) await worker.kill();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function run(
  command: readonly string[],
  args: readonly string[],
  { input = '', env = {} }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const [program, ...first] = [...command, ...args];
  const child = spawn(program as string, first, {
    cwd: root,
    env: {
      ...process.env,
      INTEROP_BROKER: broker,
      INTEROP_BACKEND: broker,
      PYTHONPATH: join(root, 'test', 'support', 'python'),
      ...env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

async function worker(options: Parameters<typeof startWorker>[1] = {}): Promise<RunningWorker> {
  const started = await startWorker({ broker }, options);
  workers.push(started);
  return started;
}

const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\n$/u;

describe('what both commands print and end with', () => {
  test('purge, list bindings, and mistakes are the same', async () => {
    const scripts: readonly (readonly string[])[] = [
      ['call', 'tasks.add', '-a', '[2, 2]', '--queue', 'away'],
      ['call', 'tasks.add', '-a', '[2, 2]', '-k', '{"z": 1}', '--queue', 'away', '--expires', '60'],
      ['purge', '-f', '-Q', 'away,other'],
      ['purge', '-f', '-Q', 'away', '-X', 'other'],
      ['purge', '-f', '-Q', 'away', '-X', 'away'],
      ['list', 'bindings'],
      ['call'],
      ['call', 'tasks.add', '-a', '{}'],
      ['call', 'tasks.add', '-k', '[1'],
      ['call', 'tasks.add', '--eta', 'soon'],
      ['no-such-command'],
      ['list'],
      [],
    ];
    const results: unknown[] = [];
    for (const [, command] of both) {
      const rows: unknown[] = [];
      for (const args of scripts) {
        const { code, stdout } = await run(command, args);
        const isHelp = args.length === 0;
        rows.push([args.join(' '), code, isHelp ? stdout.startsWith('Usage') : stdout.replace(ID, 'an id')]);
      }
      results.push(rows);
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toContainEqual(['purge -f -Q away,other', 0, 'Purged 2 messages from 2 known task queues.\n']);
  });

  test('purge asks, and a no ends with 1 and leaves the messages', async () => {
    for (const [, command] of both) {
      await run(command, ['call', 'tasks.add', '--queue', 'asked']);
      const refused = await run(command, ['purge', '-Q', 'asked'], { input: 'n\n' });
      expect([refused.code, refused.stderr]).toEqual([1, 'Aborted!\n']);
      expect(refused.stdout).toContain('This will remove all tasks from queue: asked.\n');
      const agreed = await run(command, ['purge', '-Q', 'asked'], { input: 'y\n' });
      expect([agreed.code, agreed.stdout.trim().split('\n').at(-1)]).toEqual([
        0,
        expect.stringMatching(/Purged 1 message from 1 known task queue\.$/u),
      ]);
    }
  });

  test('result prints as Python prints, a failed task ends with 1', async () => {
    await worker();
    for (const value of ['"text"', '[1, null, {"a": true}]', 'null', '1.5']) {
      const { stdout } = await run(ours, ['call', 'tasks.echo', '-a', `[${value}]`]);
      const id = stdout.trim();
      const [mine, python] = [await run(ours, ['result', id]), await run(theirs, ['result', id])];
      expect([mine.code, mine.stdout]).toEqual([python.code, python.stdout]);
    }
    const id = (await run(theirs, ['call', 'tasks.fail', '-a', '["no"]'])).stdout.trim();
    const [mine, python] = [await run(ours, ['result', id]), await run(theirs, ['result', id])];
    expect([mine.code, python.code]).toEqual([1, 1]);
    expect(mine.stderr).toContain('ValueError');
    const trace = await run(ours, ['result', id, '--traceback']);
    expect([trace.code, trace.stdout]).toEqual([0, (await run(theirs, ['result', id, '--traceback'])).stdout]);
    expect(JSON.parse((await run(ours, ['result', id, '--json'])).stdout)).toMatchObject({ status: 'FAILURE' });
    expect(await run(ours, ['result', 'no-such-id', '--timeout', '0.2'])).toMatchObject({ code: 1 });
  });

  test('commands that need no tasks work without -A', async () => {
    const bare = [...ours.slice(0, 2), '-b', broker, '--result-backend', broker];
    const { stdout } = await run(bare, ['call', 'tasks.echo', '--queue', 'bare', '--json']);
    expect(JSON.parse(stdout)).toEqual({ task_id: expect.stringMatching(/^[\da-f-]{36}$/u) });
    expect((await run(bare, ['purge', '-f', '-Q', 'bare'])).stdout).toBe('Purged 1 message from 1 known task queue.\n');
    const none = await run(ours.slice(0, 2), ['worker']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('no app given')]);
  });

  test('report shows the settings and no secret', async () => {
    const { code, stdout } = await run(ours, ['report'], {
      env: {
        INTEROP_SETTINGS: JSON.stringify({ redis_password: 'hush-1', task_acks_late: true }),
        CELERY_RESULT_BACKEND: 'redis://user:hush-2@localhost:1/3',
      },
    });
    expect(code).toBe(0);
    expect(stdout).toContain('task_acks_late: true');
    expect(stdout).toContain('redis://user:**@localhost:1/3');
    expect(stdout).not.toMatch(/hush/u);
  });
});

describe('the worker as a process', () => {
  // Every message and code is that of a Python worker, looked at in the same test.
  test.each([
    ['TERM', ['SIGTERM']],
    ['INT', ['SIGINT']],
    ['QUIT', ['SIGQUIT']],
  ] as const)('%s: the same words and exit code as Celery’s', async (_name, signals) => {
    const said: unknown[] = [];
    for (const start of [() => worker(), () => startPythonWorker({ broker }, { args: ['-P', 'solo'] })]) {
      const started = await start();
      workers.push(started);
      const exited = once(started.child, 'exit') as Promise<[number | null]>;
      for (const signal of signals) await started.kill(signal);
      const [code] = await exited;
      const words = started
        .output()
        .split('\n')
        .filter((line) => line.startsWith('worker: '));
      said.push([code, words]);
    }
    expect(said[0]).toEqual(said[1]);
  });

  test('options from CELERY_WORKER_* variables, and settings behind the options', async () => {
    const started = await worker({
      env: { CELERY_WORKER_QUEUES: 'varied', CELERY_WORKER_HOSTNAME: 'unused@%h', CELERY_WORKER_CONCURRENCY: '7' },
      args: ['prefetch_multiplier=3'],
    });
    expect(started.output()).toContain('.> varied ');
    expect(started.output()).toContain('.> concurrency: 7 (async)');
    // The command line comes first.
    expect(started.output()).toContain('node@');
    expect(await started.stop()).toBe(0);
  });

  test.each([
    [['-P', 'prefork'], 1, 'the pool "prefork" (-P, worker_pool) is not there yet'],
    [['-B'], 1, 'celeriac has no beat yet'],
    [['--autoscale', '10,3'], 2, 'it comes with process pools'],
    [['--health-port', '1'], 2, 'there is no health endpoint yet'],
    [['--conc', '3'], 2, "unknown option '--conc'"],
    [['-c', 'many'], 2, 'It must be a whole number from 1.'],
    [['worker_prefetch_multiplyer=2'], 2, 'did you mean "worker_prefetch_multiplier"?'],
    [['-l', 'loud'], 2, 'It must be one of debug, info'],
  ])('%j is refused', async (args, code, message) => {
    const ran = await run(ours, ['worker', ...args]);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  test('a pidfile keeps a second worker away, and goes with the first', async () => {
    const pidfile = join(folder, '%n.pid');
    const first = await worker({ args: ['--pidfile', pidfile] });
    const path = join(folder, 'node.pid');
    expect(readFileSync(path, 'utf8')).toBe(`${first.pid}\n`);
    for (const [, command] of both) {
      const second = await run(command, ['worker', '-n', 'node@%h', '--pidfile', pidfile]);
      expect(second.code).toBe(73);
      expect(second.stderr).toContain(`already exists.\nSeems we're already running? (pid: ${first.pid})`);
    }
    expect(await first.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('--detach goes on alone, with pidfile and log, and ends on TERM', async () => {
    const [pidfile, log] = [join(folder, 'detached.pid'), join(folder, 'detached.log')];
    const ran = await run(ours, [
      'worker',
      '-D',
      '--pidfile',
      pidfile,
      '-f',
      log,
      '-l',
      'info',
      '-Q',
      'detached',
      '--umask',
      '077',
    ]);
    expect(ran).toEqual({ code: 0, stdout: '', stderr: '' });
    await until('it is ready', () => existsSync(log) && readFileSync(log, 'utf8').includes(' ready.'));
    const pid = Number(readFileSync(pidfile, 'utf8'));
    // What it makes itself is nobody else's; the log was there before.
    expect(statSync(pidfile).mode & 0o077).toBe(0);
    const { stdout } = await run(ours, ['call', 'tasks.add', '-a', '[2, 2]', '--queue', 'detached']);
    expect((await run(ours, ['result', stdout.trim()])).stdout).toBe('4\n');
    process.kill(pid, 'SIGTERM');
    await until('it has ended', () => !existsSync(pidfile));
  });

  test('--purge erases what waits, then starts', async () => {
    for (let i = 0; i < 3; i++) await run(ours, ['call', 'tasks.add', '--queue', 'stale', '--priority', '9']);
    const started = await worker({ args: ['--purge', '-Q', 'stale'] });
    expect(started.output()).toContain('purge: Erased 3 messages from the queue.\n');
    expect(started.output()).not.toContain(' received');
  });

  test('--statedb: what was revoked stays revoked over a restart', async () => {
    const args = ['-S', join(folder, '%n.state'), '-Q', 'revoking'];
    const first = await worker({ args });
    const { stdout } = await run(ours, [
      'call',
      'tasks.add',
      '-a',
      '[1, 1]',
      '--queue',
      'revoking',
      '--countdown',
      '6',
    ]);
    const id = stdout.trim();
    await run(theirs, ['control', 'revoke', id]);
    await until('the revoke is known', () => first.output().includes('flagged as revoked'));
    expect(await first.stop()).toBe(0);
    const second = await worker({ args });
    await until('the task is discarded', () => second.output().includes(`Discarding revoked task: tasks.add[${id}]`));
  });

  test('what a task prints goes to the log; JSON where it is asked for', async () => {
    const app = join(folder, 'printing.mjs');
    writeFileSync(
      app,
      `import { Celeriac } from ${JSON.stringify(join(root, 'dist', 'index.js'))};
       export const app = new Celeriac('printing', { brokerUrl: process.env.INTEROP_BROKER });
       app.task('tasks.print', { bind: true }, (task) => { console.log('one\\ntwo'); task.logger.info('told'); });`,
    );
    const started = await worker({ app, args: ['-Q', 'printed', '--log-format', 'json'] });
    const { stdout } = await run(ours, ['call', 'tasks.print', '--queue', 'printed']);
    await until('the task has ended', () => started.output().includes('succeeded'));
    const lines = started
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'WARNING', message: 'two' }));
    expect(lines).toContainEqual(
      expect.objectContaining({ message: 'told', task_id: stdout.trim(), task_name: 'tasks.print' }),
    );
  });

  test('each line a task causes names it; its arguments stay out where that is asked for', async () => {
    const started = await worker({
      args: ['-Q', 'quiet', '--log-format', 'json', 'celeriac_hide_arguments=yes'],
      env: { CELERIAC_TASK_LOG_LEVEL: 'error' },
    });
    const env = { CELERIAC_HIDE_ARGUMENTS: '1' };
    const { stdout } = await run(ours, ['call', 'tasks.echo', '-a', '["s3cret"]', '--queue', 'quiet'], { env });
    const unknown = await run(ours, ['call', 'tasks.none', '-a', '["s3cret"]', '--queue', 'quiet'], { env });
    await until('both are done', () => /succeeded[^]*unregistered|unregistered[^]*succeeded/u.test(started.output()));
    expect(started.output()).not.toContain('s3cret');
    expect(started.output()).not.toContain(Buffer.from('["s3cret"]').toString('base64').slice(4, 12));
    const lines = started
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const id = stdout.trim();
    for (const message of [/received$/u, /succeeded in .*: \.\.\.$/u]) {
      expect(lines).toContainEqual(
        expect.objectContaining({ task_id: id, task_name: 'tasks.echo', message: expect.stringMatching(message) }),
      );
    }
    expect(lines).toContainEqual(expect.objectContaining({ correlation_id: id }));
    expect(lines).toContainEqual(expect.objectContaining({ level: 'ERROR', task_id: unknown.stdout.trim() }));
  });

  test('--reload: a changed file restarts the worker, and the running task is finished first', async () => {
    const app = join(folder, 'reloaded', 'tasks.mjs');
    const done = join(folder, 'done');
    const source = (version: number): string => `
      import { appendFileSync, mkdirSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { Celeriac } from ${JSON.stringify(join(root, 'dist', 'index.js'))};
      export const app = new Celeriac('reloaded', { brokerUrl: process.env.INTEROP_BROKER });
      app.task('tasks.version', async (seconds) => {
        await sleep(seconds * 1000);
        appendFileSync(${JSON.stringify(done)}, 'v${version}\\n');
      });`;
    mkdirSync(join(folder, 'reloaded'));
    writeFileSync(app, source(1));
    const started = await worker({ app, args: ['--reload', '-Q', 'reloading'] });
    const call = (seconds: number): Promise<Ran> =>
      run(ours, ['call', 'tasks.version', '-a', `[${seconds}]`, '--queue', 'reloading']);
    await call(1.5);
    await until('the first task runs', () => started.output().includes('received'));
    writeFileSync(app, source(2));
    await until('it restarts', () => started.output().split(' ready.').length === 3, 20_000);
    expect(readFileSync(done, 'utf8')).toBe('v1\n');
    await call(0);
    await until('the second has run', () => readFileSync(done, 'utf8') === 'v1\nv2\n');

    writeFileSync(app, 'not JavaScript');
    await until('it says that it waits', () => started.output().includes('it starts again when a file changes'));
    writeFileSync(app, source(3));
    await until('it is back', () => started.output().split(' ready.').length === 4, 20_000);
    expect(await started.stop()).toBe(0);
  });
});
