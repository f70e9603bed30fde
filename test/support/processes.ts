/** Real workers and Python programs as child processes; whatever a test leaves running is ended with the test process. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');
const pythonFolder = join(import.meta.dirname, 'python');
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** For afterEach: what a failed test left running would take part in the next one, and keep jest from ending. */
export async function killLeftovers(): Promise<void> {
  const exits = [...running].map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(exits);
}

/** The interpreter with Celery in it, or undefined: npm test says why and counts the suite as skipped. */
export function findPython(): string | undefined {
  const given = process.env['CELERIAC_TEST_PYTHON'];
  if (given !== undefined && given !== '') return given;
  const own = join(root, '.cache', 'venv', 'bin', 'python');
  return existsSync(own) ? own : undefined;
}

export interface RunningWorker {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it has written so far. */
  output(): string;
  /** TERM, and its exit code. */
  stop(): Promise<number | null>;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

interface Urls {
  readonly broker: string;
  readonly backend?: string;
}

function environment({ broker, backend }: Urls, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  // What the test run itself is told is none of a worker's settings.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CELERIAC_TEST_')));
  return { ...own, INTEROP_BROKER: broker, INTEROP_BACKEND: backend ?? broker, ...more };
}

/** A celeriac worker from the build in dist/, ready. */
export async function startWorker(
  urls: Urls,
  options: {
    args?: readonly string[];
    settings?: Record<string, unknown>;
    app?: string;
    env?: NodeJS.ProcessEnv;
    awaitReady?: boolean;
  } = {},
): Promise<RunningWorker> {
  const app = options.app ?? join(root, 'test', 'fixtures', 'apps', 'interop.mjs');
  const args = [
    join(root, 'dist', 'cli', 'main.js'),
    '-A',
    app,
    'worker',
    '-l',
    'info',
    '-n',
    'node@%h',
    ...(options.args ?? []),
  ];
  const env = environment(urls, { INTEROP_SETTINGS: JSON.stringify(options.settings ?? {}), ...options.env });
  return launch(process.execPath, args, env, options.awaitReady === false ? null : / ready\./);
}

/** A Python worker, ready. */
export async function startPythonWorker(
  urls: Urls,
  options: { args?: readonly string[]; settings?: Record<string, unknown>; app?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<RunningWorker> {
  const python = findPython() as string;
  const args = [
    '-m',
    'celery',
    '-A',
    options.app ?? 'interop_app',
    'worker',
    '-l',
    'info',
    '-n',
    'python@%h',
    '--without-mingle',
    '--without-gossip',
    ...(options.args ?? ['-P', 'solo']),
  ];
  const env = environment(urls, {
    PYTHONPATH: pythonFolder,
    INTEROP_PY_SETTINGS: JSON.stringify(options.settings ?? {}),
    ...options.env,
  });
  return launch(python, args, env, / ready\./);
}

/** Runs a Python program with `interop_app` at hand; what it prints, as JSON. */
export async function python(urls: Urls, program: string, settings: Record<string, unknown> = {}): Promise<unknown> {
  const env = environment(urls, { PYTHONPATH: pythonFolder, INTEROP_PY_SETTINGS: JSON.stringify(settings) });
  const source = `import json, sys\nfrom interop_app import *\n${program}`;
  const { stdout } = await promisify(execFile)(findPython() as string, ['-c', source], {
    env,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  });
  return stdout.trim() === '' ? undefined : JSON.parse(stdout.trim().split('\n').at(-1) as string);
}

export async function launch(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  ready: RegExp | null,
): Promise<RunningWorker> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: root });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  if (ready !== null) {
    await until(
      `a worker that is ready; it wrote:\n${output}`,
      () => {
        if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}:\n${output}`);
        return ready.test(output);
      },
      30_000,
    );
  }
  return {
    child,
    pid: child.pid as number,
    output: () => output,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: async (signal = 'SIGKILL') => {
      child.kill(signal);
      if (signal === 'SIGKILL') await exited;
    },
  };
}
