/**
 * --reload, for development: the worker runs as a child; when a file of the app changes it is stopped warmly, so that what
 * runs is finished and the rest put back, and started again. A worker that does not start, say for a syntax error, is tried
 * again with the next change.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { watch, type FSWatcher } from 'node:fs';
import { dirname, extname, sep } from 'node:path';
import { EX_FAILURE } from './exit-codes.ts';

/** Set in the child, so that it does not watch in turn. */
export const RELOADED = 'CELERIAC_RELOADED';

export interface ReloadOptions {
  readonly directories: readonly string[];
  readonly say: (sentence: string) => void;
}

const SOURCES = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.json', '.yaml', '.yml']);
/** Editors write a file in several steps. */
const SETTLE_MS = 200;

/** Resolves to the exit code when a signal ended it. */
export function runReloading({ directories, say }: ReloadOptions): Promise<number> {
  return new Promise((resolve) => {
    let child: ChildProcess | undefined;
    let isEnding = false;
    let isRestarting = false;
    let pause: NodeJS.Timeout | undefined;
    let watchers: FSWatcher[] = [];

    const end = (code: number): void => {
      clearTimeout(pause);
      for (const watcher of watchers) watcher.close();
      resolve(code);
    };
    const start = (): void => {
      isRestarting = false;
      const started = startChild();
      child = started;
      started.once('exit', (code, signal) => {
        child = undefined;
        if (isEnding) end(code ?? (signal === null ? 0 : EX_FAILURE));
        else if (isRestarting) start();
        else say(`reload: the worker ended with ${code ?? String(signal)}; it starts again when a file changes`);
      });
    };
    const restart = (file: string): void => {
      if (isEnding) return;
      say(`reload: ${file} has changed, restarting the worker`);
      if (child === undefined) start();
      else if (!isRestarting) {
        isRestarting = true;
        child.kill('SIGTERM');
      }
    };
    watchers = directories.map((directory) =>
      watch(directory, { recursive: true }, (_event, file) => {
        if (file === null || !isSource(file)) return;
        clearTimeout(pause);
        pause = setTimeout(() => restart(file), SETTLE_MS);
      }),
    );
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.on(signal, () => {
        isEnding = true;
        if (child === undefined) end(0);
        else child.kill(signal);
      });
    }
    process.on('SIGHUP', () => restart('SIGHUP: nothing'));
    start();
  });
}

export function directoryOf(file: string): string {
  return dirname(file);
}

function startChild(): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    // A group of its own: Ctrl+C reaches it once, from here.
    detached: true,
    // The channel tells it that this process has died.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [RELOADED]: '1' },
  });
}

function isSource(file: string): boolean {
  const parts = file.split(sep);
  return SOURCES.has(extname(file)) && !parts.some((part) => part === 'node_modules' || part.startsWith('.'));
}
