/**
 * -D: starts the same command again as a process of its own, without a terminal, and ends. Counterpart: detach of
 * celery/bin/worker.py and detached of celery/platforms.py, 5.6.3.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { CommandError, EX_CANTCREAT, EX_FAILURE } from './exit-codes.ts';
import { refuseIfHeld } from './pidfile.ts';

export interface DetachOptions {
  /** Where what it writes besides its log goes too; else nowhere. */
  readonly logfile: string | undefined;
  readonly pidfile: string | undefined;
  /** Instead of this Node. */
  readonly executable: string | undefined;
}

/** @returns its pid. @throws CommandError for what a detached process could tell nobody. */
export async function detach(options: DetachOptions): Promise<number> {
  if (options.pidfile !== undefined) refuseIfHeld(options.pidfile);
  const log = openLog(options.logfile);
  const child = spawn(
    options.executable ?? process.execPath,
    [...process.execArgv, ...process.argv.slice(1).filter((argument) => argument !== '-D' && argument !== '--detach')],
    {
      detached: true,
      stdio: ['ignore', log, log],
      // An empty variable counts as not set: the child must not detach again.
      env: { ...process.env, CELERY_WORKER_DETACH: '' },
    },
  );
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new CommandError(EX_FAILURE, `Error: cannot start ${options.executable ?? process.execPath}`, { cause });
  } finally {
    closeSync(log);
  }
  child.unref();
  return child.pid as number;
}

function openLog(path: string | undefined): number {
  try {
    return openSync(path ?? '/dev/null', 'a');
  } catch (cause) {
    throw new CommandError(EX_CANTCREAT, `Error: cannot write the log file ${String(path)}`, { cause });
  }
}
