/**
 * What a run came to, as a value: the worker's `settle` is one exhaustive switch over `kind`. Plain data, so that it
 * crosses a process border unchanged. Counterpart: the branches of celery/app/trace.py, trace_task, with those of
 * celery/worker/request.py for runs that end from outside (5.6.3).
 */
import { type ErrorIdentity } from '../protocol/error-identity.ts';
import { type ResultTuple } from '../protocol/result-meta.ts';
import { type RetryPlan } from './predicates.ts';

/** What every run that had its handler called may tell. */
interface Trail {
  /** The tasks it sent, as they stand in its stored result; left out where there are none. */
  readonly children?: readonly ResultTuple[];
}

/** The handler returned. */
export interface SuccessOutcome extends Trail {
  readonly kind: 'success';
  /** Null where the handler returned nothing. */
  readonly value: unknown;
  readonly runtimeSeconds: number;
}

/** The handler threw, or its arguments did not fit: state FAILURE. */
export interface FailureOutcome extends Trail {
  readonly kind: 'failure';
  readonly exception: ErrorIdentity;
  readonly traceback: string | null;
  /** The option `throws` lists it: not logged as an error. */
  readonly isExpected: boolean;
  readonly runtimeSeconds: number;
}

/** The handler asked for another run: state RETRY, and a new message according to the plan. */
export interface RetryOutcome extends Trail {
  readonly kind: 'retry';
  readonly plan: RetryPlan;
  /** What went wrong, if anything did. */
  readonly cause: ErrorIdentity | null;
  /** `Retry in 5s: ValueError('x')`, for the log. */
  readonly message: string;
  readonly traceback: string | null;
  readonly runtimeSeconds: number;
}

/** Nothing is stored; the message is acknowledged. */
export interface IgnoredOutcome extends Trail {
  readonly kind: 'ignored';
  readonly runtimeSeconds: number;
}

/** Nothing is stored; with acksLate the message is rejected, or put back. */
export interface RejectedOutcome extends Trail {
  readonly kind: 'rejected';
  /** For the log; null when none was given. */
  readonly reason: string | null;
  readonly requeue: boolean;
  readonly runtimeSeconds: number;
}

/** It never ran, or was stopped on request: state REVOKED. */
export interface RevokedOutcome extends Trail {
  readonly kind: 'revoked';
  readonly reason: 'revoked' | 'expired' | 'terminated';
  /** The number of the signal that ended it; null when none did. */
  readonly signum: number | null;
}

/** Ended by force at its hard time limit: FAILURE, TimeLimitExceeded. (The soft one is an error in the handler.) */
export interface TimeoutOutcome {
  readonly kind: 'timeout';
  readonly limitSeconds: number;
}

/** Its process or thread died under it: FAILURE, WorkerLostError, or back to the queue. */
export interface LostOutcome {
  readonly kind: 'lost';
  readonly pid: number;
  readonly exitCode: number | null;
  /** The name of the signal that killed it, SIGKILL; null when it exited. */
  readonly signal: string | null;
}

/** How a run can end that came to its own end, so what runTask may give. */
export type RunOutcome =
  SuccessOutcome | FailureOutcome | RetryOutcome | IgnoredOutcome | RejectedOutcome | RevokedOutcome;

export type Outcome = RunOutcome | TimeoutOutcome | LostOutcome;
