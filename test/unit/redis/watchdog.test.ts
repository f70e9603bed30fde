import { afterEach, expect, test } from '@jest/globals';
import { startWatchdog, type Watchdog } from '../../../src/redis/watchdog.ts';

let dog: Watchdog;
afterEach(() => dog.stop());

function watch(healthCheckMs: number | null, limitMs: number | null) {
  const seen = { bytes: 0 as number | null, pending: 0, pings: 0, drops: [] as string[] };
  dog = startWatchdog(
    {
      bytesRead: () => seen.bytes,
      pending: () => seen.pending,
      replyLimitMs: () => limitMs,
      ping: () => seen.pings++,
      drop: (reason) => seen.drops.push(reason.message),
    },
    healthCheckMs,
    100_000,
  );
  return seen;
}

test('a command without a byte in reply for the limit drops the connection once', () => {
  const seen = watch(null, 1_000);
  dog.look(0);
  seen.pending = 1;
  for (const now of [100, 600, 1_099]) dog.look(now);
  expect(seen.drops).toEqual([]);
  dog.look(1_100);
  expect(seen.drops).toEqual(['no reply for 1 s, the connection is taken for dead']);
});

test('bytes that trickle in keep a slow reply alive', () => {
  const seen = watch(null, 1_000);
  seen.pending = 1;
  for (let now = 0; now <= 10_000; now += 500) {
    seen.bytes = now;
    dog.look(now);
  }
  expect(seen.drops).toEqual([]);
});

test('idle connections are pinged once per interval, busy and absent ones never', () => {
  const seen = watch(1_000, null);
  dog.look(0);
  dog.look(900);
  expect(seen.pings).toBe(0);
  dog.look(1_000);
  dog.look(1_500);
  expect(seen.pings).toBe(1);
  seen.bytes = null;
  for (const now of [3_000, 9_000]) dog.look(now);
  seen.bytes = 5;
  seen.pending = 1;
  for (const now of [10_000, 20_000]) dog.look(now);
  expect(seen.pings).toBe(1);
  expect(seen.drops).toEqual([]);
});
