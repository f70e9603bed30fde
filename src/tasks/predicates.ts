/**
 * What a task throws to say something other than "I failed": retry me, forget me, give the message back. Counterpart:
 * TaskPredicate and its children in celery/exceptions.py (5.6.3). Errors, so that the control flow of `throw` carries
 * them; runTask makes values of them, and no automatic retry takes them for a failure.
 */
import { CeleriacError } from '../errors.ts';
import { readSafely } from './failure.ts';

export abstract class TaskPredicate extends CeleriacError {}

/** The message of the next attempt, as far as it differs from the one that is running. */
export interface RetryPlan {
  /** The number of the next attempt: one more than the request's. */
  readonly retries: number;
  /** Seconds from now; null when `eta` says when. */
  readonly countdownSeconds: number | null;
  /** ISO 8601; null when the countdown says when. */
  readonly eta: string | null;
  /** Null: those of the request. */
  readonly args: readonly unknown[] | null;
  /** Null: those of the request. */
  readonly kwargs: Readonly<Record<string, unknown>> | null;
  /** Overrides what the message was sent with. */
  readonly options: RetryMessageOptions;
}

/** How the next attempt's message may be sent differently. */
export interface RetryMessageOptions {
  readonly queue?: string;
  readonly routingKey?: string;
  readonly priority?: number;
  /** Seconds from now, or the moment, after which it is not worth running. */
  readonly expires?: number | Date | string;
  /** Seconds; null lifts the limit. */
  readonly timeLimit?: number | null;
  readonly softTimeLimit?: number | null;
  readonly serializer?: string;
  readonly compression?: string;
  /** Headers of the producer's own, in place of the request's. */
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly ignoreResult?: boolean;
}

/** The task is to run again. Made by `task.retry()`. */
export class Retry extends TaskPredicate {
  static readonly excType = 'Retry';
  static readonly excModule = 'celery.exceptions';
  readonly plan: RetryPlan;
  /** What went wrong, if anything did: stored as the result of state RETRY. */
  readonly exc: unknown;

  /** @param when - how the log puts it: `in 5s`, `at 2026-01-01T00:00:00Z`; `reason` is the error as Python prints it. */
  constructor(plan: RetryPlan, when: string, exc?: unknown, reason: string | null = null) {
    super('CELERIAC_RETRY', `Retry ${when}${reason === null ? '' : `: ${reason}`}`, { cause: exc });
    this.plan = plan;
    this.exc = exc;
  }
}

/** The task's state is to be left as it is: nothing is stored, the message is acknowledged. */
export class Ignore extends TaskPredicate {
  static readonly excType = 'Ignore';
  static readonly excModule = 'celery.exceptions';
  constructor(reason = 'Ignore') {
    super('CELERIAC_IGNORE', reason);
  }
}

/** The message is to be rejected, or put back (`requeue`). It has an effect with acksLate only: else it is acknowledged already. */
export class Reject extends TaskPredicate {
  static readonly excType = 'Reject';
  static readonly excModule = 'celery.exceptions';
  readonly reason: unknown;
  readonly requeue: boolean;
  constructor(reason: unknown = null, options: { readonly requeue?: boolean } = {}) {
    super('CELERIAC_REJECT', `reject requeue=${String(options.requeue ?? false)}: ${inWords(reason)}`, {
      cause: reason,
    });
    this.reason = reason;
    this.requeue = options.requeue ?? false;
  }
}

/** A reason is most often an error or a text; anything else is shown as far as it can be. */
export function inWords(reason: unknown): string {
  if (reason instanceof Error) return `${reason.name}: ${reason.message}`;
  if (typeof reason === 'string') return reason;
  try {
    const text: unknown = JSON.stringify(reason); // undefined for functions and symbols
    return typeof text === 'string' ? text : typeof reason;
  } catch {
    return typeof reason;
  }
}

// By code, not by class: tasks may import another copy of the package than the worker that runs them.

export function isRetry(thrown: unknown): thrown is Retry {
  return readSafely(thrown, 'code') === 'CELERIAC_RETRY';
}

export function isIgnore(thrown: unknown): thrown is Ignore {
  return readSafely(thrown, 'code') === 'CELERIAC_IGNORE';
}

export function isReject(thrown: unknown): thrown is Reject {
  return readSafely(thrown, 'code') === 'CELERIAC_REJECT';
}
