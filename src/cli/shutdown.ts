/**
 * What signals mean to a worker. Counterpart: the handlers of celery/apps/worker.py, 5.6.3, whose sentences and exit codes
 * these are:
 *
 *   TERM             warm: what runs is finished; further ones change nothing
 *   INT              warm, and the next INT is a QUIT
 *   QUIT             soft, where worker_soft_shutdown_timeout gives tasks time to end; else cold
 *   QUIT, INT again  cold at once; and once more: the process ends
 *   HUP              as TERM: whoever supervises the worker starts it again
 *
 * REMAP_SIGTERM=SIGQUIT makes TERM a QUIT. A cold stop that takes longer than its deadline is cut off.
 */
import { EX_FAILURE, EX_OK } from './exit-codes.ts';

export type ShutdownMode = 'warm' | 'soft' | 'cold';

export interface Stoppable {
  /** Called again with a harder mode while the first still lasts. */
  stop(mode: ShutdownMode, signal: NodeJS.Signals): Promise<void>;
}

export interface ShutdownOptions {
  readonly worker: Stoppable;
  /** Seconds that running tasks have before a cold stop; 0: none. */
  readonly softTimeoutSeconds: number;
  readonly say: (sentence: string) => void;
  readonly exit: (code: number) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signals: Pick<NodeJS.EventEmitter, 'on'>;
}

/** How long a cold stop may take, after the soft timeout: what is held has to be put back. */
const COLD_DEADLINE_MS = 10_000;

export function stopOnSignals(options: ShutdownOptions): { readonly failed: Promise<never> } {
  const { worker, softTimeoutSeconds, say, exit, env, signals } = options;
  const isRemapped = env['REMAP_SIGTERM'] === 'SIGQUIT';
  /** How hard it is being stopped: 0 not at all, 1 warm, 2 soft or cold, 3 cold in the middle of soft. */
  let stage = 0;
  let exitCode = EX_OK;
  let interrupts = 0;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));

  const stop = (mode: ShutdownMode, signal: NodeJS.Signals): void => {
    worker.stop(mode, signal).then(() => exit(exitCode), fail);
  };

  const warm = (signal: NodeJS.Signals, code: number): void => {
    say('worker: Warm shutdown (MainProcess)');
    if (stage > 0) return;
    stage = 1;
    exitCode = code;
    stop('warm', signal);
  };

  const quit = (signal: NodeJS.Signals): void => {
    if (stage < 2) {
      stage = 2;
      say('worker: Hitting Ctrl+C again will terminate all running tasks!');
      // Celery leaves it out where Ctrl+C brought us here.
      if (signal !== 'SIGINT') say('worker: Cold shutdown (MainProcess)');
      const isSoft = softTimeoutSeconds > 0;
      setTimeout(() => exit(EX_FAILURE), softTimeoutSeconds * 1000 + COLD_DEADLINE_MS).unref();
      stop(isSoft ? 'soft' : 'cold', signal);
      return;
    }
    if (stage === 2) {
      stage = 3;
      say('Waiting gracefully for cold shutdown to complete...');
      stop('cold', signal);
      return;
    }
    exit(EX_FAILURE);
  };

  signals.on('SIGTERM', () => {
    if (isRemapped) quit('SIGTERM');
    else warm('SIGTERM', EX_OK);
  });
  signals.on('SIGHUP', () => warm('SIGHUP', EX_OK));
  signals.on('SIGQUIT', () => quit('SIGQUIT'));
  signals.on('SIGINT', () => {
    interrupts += 1;
    if (interrupts > 1) {
      quit('SIGINT');
      return;
    }
    say('worker: Hitting Ctrl+C again will initiate cold shutdown, terminating all running tasks!');
    warm('SIGINT', EX_FAILURE);
  });
  return { failed };
}
