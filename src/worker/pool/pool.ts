/**
 * Where task code runs. The worker reserves, accepts and settles; a pool only runs what was accepted and says how it came
 * out. Counterpart: celery/concurrency/base.py BasePool, 5.6.3.
 */
import type { Ending, HookFailure } from '../../tasks/hooks.ts';
import type { Outcome } from '../../tasks/outcome.ts';
import type { Request } from '../request.ts';

export interface Pool {
  /** `async`, `solo` ...: as `-P` names it. */
  readonly name: string;
  /** How many tasks run at once. */
  readonly concurrency: number;
  start(): Promise<void>;
  /** Runs an accepted request to its end; never rejects, whatever the task does. */
  run(request: Request): Promise<Outcome>;
  /**
   * Calls the hooks and signals that follow a run, once what came of it is stored; only where there are some. Never
   * rejects: a hook that throws is told of.
   */
  finish(request: Request, ending: Ending): Promise<HookFailure | null>;
  /** Asks a running request to end: its signal is aborted with `reason`. False: it does not run here. */
  abort(request: Request, reason: Error): boolean;
  stop(): Promise<void>;
}
