import { expect, test } from '@jest/globals';
import { backoffMs } from '../../../src/util/backoff.ts';

const policy = { startMs: 0, stepMs: 2_000, maxMs: 30_000, jitter: 0.25 };

test('pauses grow by the step up to the maximum', () => {
  const pauses = Array.from({ length: 18 }, (_, index) => backoffMs(policy, index + 1, () => 0));
  expect(pauses.slice(0, 4)).toEqual([0, 2_000, 4_000, 6_000]);
  expect(pauses.slice(-2)).toEqual([30_000, 30_000]);
});

test('jitter adds up to its share, also to a pause of 0', () => {
  expect(backoffMs(policy, 2, () => 1)).toBe(2_500);
  expect(backoffMs(policy, 1, () => 1)).toBe(50);
  expect(backoffMs({ ...policy, jitter: 0 }, 1, () => 1)).toBe(0);
});
