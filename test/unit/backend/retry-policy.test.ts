import { describe, expect, test } from '@jest/globals';
import { retryPolicy } from '../../../src/backend/retry-policy.ts';

describe('how long Redis is waited for', () => {
  test('a client gives up as Celery does: 20 retries, the first at once, then one a second', () => {
    const policy = retryPolicy();
    expect(policy.maxRetries).toBe(20);
    expect([1, 2, 3, 20].map((retry) => policy.pauseMs(retry))).toEqual([0, 1000, 1000, 1000]);
    expect(retryPolicy({ policyMaxRetries: 3 }).maxRetries).toBe(3);
  });

  test('a worker never gives up, unless result_backend_always_retry comes with a limit', () => {
    expect(retryPolicy({}, true).maxRetries).toBe(Infinity);
    expect(retryPolicy({ maxRetries: 5 }, true).maxRetries).toBe(Infinity);
    expect(retryPolicy({ alwaysRetry: true, maxRetries: 5 }, true).maxRetries).toBe(5);
    expect(retryPolicy({ alwaysRetry: true }).maxRetries).toBe(Infinity);
  });

  test('a connection may be away as long as all the pauses take', () => {
    expect(retryPolicy().patienceMs).toBe(19_000);
    expect(retryPolicy({ policyMaxRetries: 1 }).patienceMs).toBe(0);
    expect(retryPolicy({}, true).patienceMs).toBe(Infinity);
    expect(retryPolicy({ alwaysRetry: true, maxRetries: 2 }, false, () => 1).patienceMs).toBe(60);
    expect(retryPolicy({ alwaysRetry: true, maxRetries: Infinity, baseSleepMs: 0 }).patienceMs).toBe(Infinity);
  });

  test('pauses double up to the cap, and half of each is jitter', () => {
    const least = retryPolicy({ alwaysRetry: true }, false, () => 0);
    const most = retryPolicy({ alwaysRetry: true }, false, () => 1);
    expect([1, 2, 3, 30, 5000].map((retry) => least.pauseMs(retry))).toEqual([10, 20, 40, 5000, 5000]);
    expect([1, 2, 3, 30, 5000].map((retry) => most.pauseMs(retry))).toEqual([20, 40, 80, 10_000, 10_000]);
    const own = retryPolicy({ alwaysRetry: true, baseSleepMs: 100, maxSleepMs: 150 }, false, () => 1);
    expect(own.pauseMs(1)).toBe(150);
  });
});
