/**
 * Task states as data. Counterpart: celery/states.py, 5.6.3. Any other string is a custom state: valid, never ready.
 */

export const PENDING = 'PENDING';
export const RECEIVED = 'RECEIVED';
export const STARTED = 'STARTED';
export const SUCCESS = 'SUCCESS';
export const FAILURE = 'FAILURE';
export const REVOKED = 'REVOKED';
export const REJECTED = 'REJECTED';
export const RETRY = 'RETRY';
export const IGNORED = 'IGNORED';

/** The task will not change any more; its meta carries `date_done`. */
export const READY_STATES: ReadonlySet<string> = new Set([SUCCESS, FAILURE, REVOKED]);
export const UNREADY_STATES: ReadonlySet<string> = new Set([PENDING, RECEIVED, STARTED, REJECTED, RETRY]);
/** `result` of the meta is an exception (RETRY may carry null instead). */
export const EXCEPTION_STATES: ReadonlySet<string> = new Set([RETRY, FAILURE, REVOKED]);
/** `get()` throws. */
export const PROPAGATE_STATES: ReadonlySet<string> = new Set([FAILURE, REVOKED]);
export const ALL_STATES: ReadonlySet<string> = new Set([PENDING, RECEIVED, STARTED, SUCCESS, FAILURE, RETRY, REVOKED]);

const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  [SUCCESS, 0],
  [FAILURE, 1],
  [REVOKED, 3],
  [STARTED, 4],
  [RECEIVED, 5],
  [REJECTED, 6],
  [RETRY, 7],
  [PENDING, 8],
]);

/** A custom state ranks behind FAILURE and before REVOKED. */
const CUSTOM_STATE_PRECEDENCE = 2;

/** Rank of a state; the lower number is the further advanced state and wins when two reports contradict each other. */
export function precedence(state: string): number {
  return PRECEDENCE.get(state) ?? CUSTOM_STATE_PRECEDENCE;
}
