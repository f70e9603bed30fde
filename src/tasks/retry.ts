/**
 * Automatic retries: which errors ask for one, and when. Counterparts: celery/app/autoretry.py (add_autoretry_behaviour)
 * and get_exponential_backoff_interval in celery/utils/time.py, 5.6.3. Called with a task's error only when the task lists
 * kinds of errors to retry.
 */
import { type TaskContext } from './context.ts';
import { isOneOf } from './failure.ts';
import { type ResolvedTaskOptions } from './options.ts';
import { isRetry, type Retry } from './predicates.ts';

/**
 * Seconds until the next attempt: `factor` doubled with each retry, at most `maximum`; with jitter a whole number from 0 to
 * that, each as likely.
 */
export function backoffSeconds(
  backoff: { readonly factor: number; readonly maximum: number; readonly jitter: boolean },
  retries: number,
  random: () => number = Math.random,
): number {
  const countdown = Math.max(0, Math.min(backoff.maximum, backoff.factor * 2 ** retries));
  return backoff.jitter ? Math.floor(random() * (countdown + 1)) : countdown;
}

/**
 * What an error of a task with `autoretryFor` comes to: a Retry, or the error to fail with, which is the given one (no
 * retry for its kind, or none left).
 */
export function autoretry(context: TaskContext, options: ResolvedTaskOptions, error: unknown): Retry | undefined {
  const { autoretryFor, dontAutoretryFor, retryBackoff, retryBackoffMax, retryJitter } = options;
  if (!isOneOf(error, autoretryFor) || isOneOf(error, dontAutoretryFor)) return undefined;
  const factor = Math.trunc(Math.max(1, Number(retryBackoff)));
  const maximum = Math.trunc(retryBackoffMax);
  const countdown =
    retryBackoff === false || retryBackoff === 0
      ? null
      : backoffSeconds({ factor, maximum, jitter: retryJitter }, context.request.retries);
  try {
    return context.retry({ exc: error, countdown, maxRetries: context.maxRetriesOfCall, throw: false });
  } catch (thrown) {
    // No retry is left, or the handler was called directly: `retry` throws what it was given.
    return isRetry(thrown) ? thrown : undefined;
  }
}
