import { expect, test } from '@jest/globals';
import { TokenBucket } from '../../../src/util/token-bucket.ts';

test('the first token is there at once, the next ones come evenly', () => {
  const bucket = new TokenBucket(2, 0);
  expect([
    bucket.take(0),
    bucket.take(0),
    bucket.take(499),
    bucket.take(500),
    bucket.take(999),
    bucket.take(1000),
  ]).toEqual([true, false, false, true, false, true]);
});

test('idle time fills no more than its capacity', () => {
  const bucket = new TokenBucket(10, 0);
  expect([bucket.take(60_000), bucket.take(60_000)]).toEqual([true, false]);
  const wide = new TokenBucket(10, 0, 3);
  expect([1, 2, 3, 4].map(() => wide.take(60_000))).toEqual([true, true, true, false]);
});

test('tells how long until the next, so that a timer is never early', () => {
  const bucket = new TokenBucket(3, 0);
  expect(bucket.wait(0)).toBe(0);
  bucket.take(0);
  expect(bucket.wait(0)).toBe(334);
  expect(bucket.take(334)).toBe(true);
  expect(new TokenBucket(1 / 3600, 0).wait(0)).toBe(0);
});
