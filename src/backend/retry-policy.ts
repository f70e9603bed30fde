/**
 * How long a result operation is tried again while Redis is away, and when.
 * Counterparts: celery/backends/base.py (store_result, retry_policy), celery/utils/time.py
 * (get_exponential_backoff_interval), 5.6.3.
 *
 * Differs from Celery: without `result_backend_always_retry` its worker drops a result after 20 tries in as many
 * seconds, and with early acks the task is gone too. Ours keeps it as long as the worker lives (`'worker'`); a client,
 * who has somebody to tell, gives up as Celery does.
 */

/** `retry_policy` of Celery's base backend: 20 retries, the first at once, then one a second. */
const CELERY_MAX_RETRIES = 20;
const CELERY_PAUSE_MS = 1000;

const DAY_MS = 86_400_000;
const MANY_RETRIES = 100_000;

export interface RetrySettings {
  /** `result_backend_always_retry`. @defaultValue false */
  readonly alwaysRetry?: boolean;
  /** `result_backend_max_retries`, counts only with `alwaysRetry`. @defaultValue Infinity */
  readonly maxRetries?: number;
  /** `result_backend_base_sleep_between_retries_ms`. @defaultValue 10 */
  readonly baseSleepMs?: number;
  /** `result_backend_max_sleep_between_retries_ms`. @defaultValue 10000 */
  readonly maxSleepMs?: number;
  /** `result_backend_transport_options.retry_policy.max_retries`, counts without `alwaysRetry`. @defaultValue 20 */
  readonly policyMaxRetries?: number;
}

export interface RetryPolicy {
  /** Tries after the first one. */
  readonly maxRetries: number;
  /** Milliseconds to wait before the n-th retry (from 1). */
  pauseMs(retry: number): number;
  /**
   * How long a connection may be away: as long as all the pauses take. The port reconnects by itself, so there are no
   * tries of ours to count then. Celery's default gives 19 seconds.
   */
  readonly patienceMs: number;
}

/** @param keepForEver true for what a worker stores: the result of work done must not be lost */
export function retryPolicy(
  settings: RetrySettings = {},
  keepForEver = false,
  random: () => number = Math.random,
): RetryPolicy {
  const { alwaysRetry = false, baseSleepMs = 10, maxSleepMs = 10_000 } = settings;
  if (!alwaysRetry && !keepForEver) {
    return policy(settings.policyMaxRetries ?? CELERY_MAX_RETRIES, (retry) => (retry <= 1 ? 0 : CELERY_PAUSE_MS));
  }
  return policy(alwaysRetry ? (settings.maxRetries ?? Infinity) : Infinity, (retry) => {
    // Half of the pause is jitter. Celery draws all of it, so that a pause may be nothing at all.
    const full = Math.min(maxSleepMs, baseSleepMs * 2 ** Math.min(retry, 30));
    return full / 2 + (random() * full) / 2;
  });
}

function policy(maxRetries: number, pauseMs: (retry: number) => number): RetryPolicy {
  let patienceMs = 0;
  // A day is for ever; the sum must not take for ever itself.
  for (let retry = 1; retry <= maxRetries && patienceMs < DAY_MS; retry += 1) {
    if (retry > MANY_RETRIES) patienceMs = Infinity;
    patienceMs += pauseMs(retry);
  }
  return { maxRetries, pauseMs, patienceMs: patienceMs >= DAY_MS ? Infinity : patienceMs };
}
