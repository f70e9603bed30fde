/**
 * What one worker knows of its tasks; one object, passed in. Counterpart: the module globals of celery/worker/state.py.
 */
import { uptime } from 'node:os';
import { LimitedSet } from '../util/limited-set.ts';
import type { Request } from './request.ts';

/** Celery: CELERY_WORKER_REVOKES_MAX and CELERY_WORKER_REVOKE_EXPIRES. */
const REVOKES_MAX = 50_000;
const REVOKE_EXPIRES_SECONDS = 10_800;

export class WorkerState {
  /** Accepted by a slot and not settled yet, by task id. */
  readonly active = new Map<string, Request>();
  /** Received, waiting for a slot, in order. */
  readonly reserved: Request[] = [];
  readonly revoked: LimitedSet;
  /** How many were accepted, by task name. */
  readonly totals = new Map<string, number>();

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const max = Number(environment['CELERY_WORKER_REVOKES_MAX'] ?? REVOKES_MAX);
    const expires = Number(environment['CELERY_WORKER_REVOKE_EXPIRES'] ?? REVOKE_EXPIRES_SECONDS);
    // The clock of the operating system's uptime: the one Python members use, and compare with, in mingle.
    this.revoked = new LimitedSet(max, expires, uptime);
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
