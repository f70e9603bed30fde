/**
 * Which states of a task are written to the result backend.
 * Counterparts: celery/app/trace.py (build_tracer, TraceInfo), celery/worker/request.py (store_errors), 5.6.3.
 */

export interface StorePolicy {
  /** The message's `ignore_result` header if it is there, else the task type's option. */
  readonly ignoreResult: boolean;
  readonly storeErrorsEvenIfIgnored: boolean;
}

/** Seen in events and on the worker only; Celery has no meta for them. */
const NEVER_STORED = new Set(['PENDING', 'RECEIVED', 'REJECTED', 'IGNORED']);
const ERROR_STATES = new Set(['FAILURE', 'REVOKED', 'RETRY']);

/**
 * A custom state is stored although results are ignored: the task asked for it by name (`Task.update_state` of Celery
 * does not look at `ignore_result` either).
 */
export function shouldStore(state: string, policy: StorePolicy): boolean {
  if (NEVER_STORED.has(state)) return false;
  if (!policy.ignoreResult) return true;
  if (ERROR_STATES.has(state)) return policy.storeErrorsEvenIfIgnored;
  return state !== 'STARTED' && state !== 'SUCCESS';
}
