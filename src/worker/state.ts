/**
 * What one worker knows of its tasks; one object, passed in. Counterpart: the module globals of celery/worker/state.py.
 */
import { uptime } from 'node:os';
import { LimitedSet } from '../util/limited-set.ts';
import type { Request } from './request.ts';

/** Celery: CELERY_WORKER_REVOKES_MAX and CELERY_WORKER_REVOKE_EXPIRES. */
const REVOKES_MAX = 50_000;
const REVOKE_EXPIRES_SECONDS = 10_800;
/** Celery: CELERY_WORKER_SUCCESSFUL_MAX and CELERY_WORKER_SUCCESSFUL_EXPIRES. */
const SUCCESSFUL_MAX = 1000;
const SUCCESSFUL_EXPIRES_SECONDS = 10_800;

export class WorkerState {
  /** Accepted by a slot and not settled yet, by task id. */
  readonly active = new Map<string, Request>();
  /** Received, waiting for a slot, in order. */
  readonly reserved: Request[] = [];
  readonly revoked: LimitedSet;
  /** Ids of late-acknowledged tasks that succeeded; kept where they are not to run again. */
  readonly successful: LimitedSet;
  /** How many were accepted, by task name. */
  readonly totals = new Map<string, number>();

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const number = (name: string, otherwise: number): number => Number(environment[name] ?? otherwise);
    // The clock of the operating system's uptime: the one Python members use, and compare with, in mingle.
    this.revoked = new LimitedSet(
      number('CELERY_WORKER_REVOKES_MAX', REVOKES_MAX),
      number('CELERY_WORKER_REVOKE_EXPIRES', REVOKE_EXPIRES_SECONDS),
      uptime,
    );
    this.successful = new LimitedSet(
      number('CELERY_WORKER_SUCCESSFUL_MAX', SUCCESSFUL_MAX),
      number('CELERY_WORKER_SUCCESSFUL_EXPIRES', SUCCESSFUL_EXPIRES_SECONDS),
      uptime,
    );
  }

  accepted(name: string): void {
    this.totals.set(name, (this.totals.get(name) ?? 0) + 1);
  }

  get processed(): number {
    let sum = 0;
    for (const count of this.totals.values()) sum += count;
    return sum;
  }
}
