/**
 * Entry of the lease thread: renews the lease and re-scores what is held, every few seconds, on a connection of its own,
 * whatever the main thread is busy with. Ends the process when the main loop has been blocked beyond its limit: a lease
 * renewed for a dead loop would hold its messages for ever.
 */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { openRedis } from '../redis/connection.ts';
import { untiring } from '../redis/options.ts';
import { DEAD_MEMBER_TTL } from './keys.ts';
import type { LeaseOrder, LeaseReport, LeaseThreadData } from './lease-keeper.ts';
import { RENEW } from './scripts/lease.ts';

const data = workerData as LeaseThreadData;
const { keys, leaseSeconds, intervalSeconds, beat, confirmed } = data;
// Never gives up, and looks often: after an outage every lease has run out until it is renewed.
const redis = openRedis(data.connection.target, {
  ...untiring(data.connection.options),
  backoff: { startMs: 0, stepMs: 500, maxMs: 2000, jitter: 0.25 },
});
let lease = data.lease;
let isStopped = false;
let inTrouble = false;
let lastBeat = Atomics.load(beat, 0);
let lastBeatAt = Date.now();
let watchedAt = Date.now();
let timer: NodeJS.Timeout | undefined;

const report = (what: LeaseReport): void => parentPort?.postMessage(what);

async function renew(): Promise<void> {
  const { instance, held, member, consumers } = lease;
  const askedAtMs = Date.now();
  try {
    const reply = await redis.run(
      RENEW,
      [keys.unackedIndex, held, keys.members, member, ...consumers],
      [instance, Math.ceil(leaseSeconds), DEAD_MEMBER_TTL],
    );
    const [count, ...lost] = reply as [number, ...string[]];
    if (inTrouble) report({ kind: 'renewing' });
    inTrouble = false;
    if (count === -1) {
      report({ kind: 'membership-lost', instance });
      return;
    }
    if (lost.length > 0) report({ kind: 'lost', instance, fields: lost });
    // Joined anew meanwhile: that lease is confirmed by who asked for it.
    if (instance !== lease.instance) return;
    const before = Number(Atomics.exchange(confirmed, 0, BigInt(askedAtMs)));
    if (Date.now() >= before + leaseSeconds * 1000) report({ kind: 'renewed-late', instance });
  } catch (error) {
    // Once per outage; the connection itself retries and says so.
    if (!inTrouble) report({ kind: 'trouble', message: error instanceof Error ? error.message : String(error) });
    inTrouble = true;
  }
}

function watchLoop(): void {
  const now = Date.now();
  const current = Atomics.load(beat, 0);
  // This thread, too, was held up: the whole process was stopped (SIGSTOP, a suspended machine), not its loop blocked.
  const wholeProcessStopped = now - watchedAt > 5000;
  watchedAt = now;
  if (current !== lastBeat || wholeProcessStopped) {
    lastBeat = current;
    lastBeatAt = now;
    return;
  }
  const limit = Atomics.load(beat, 1);
  const blocked = (now - lastBeatAt) / 1000;
  if (blocked <= limit) return;
  // Synchronous and by number: the main thread's streams and logger may be what is stuck.
  writeSync(
    2,
    `CRITICAL: the event loop of process ${process.pid} has been blocked for ${Math.round(blocked)} s, over its limit of ${limit} s. ` +
      `Ending the process; what it holds goes back to the queues within ${leaseSeconds} s. ` +
      `CPU-bound tasks belong into --pool prefork or threads (setting celeriac_loop_block_limit).\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}

async function tick(): Promise<void> {
  watchLoop();
  await renew();
  if (!isStopped) timer = setTimeout(() => void tick(), intervalSeconds * 1000);
}

/** Asked by a function: the compiler cannot know that an order may have come while something was awaited. */
function hasStopped(): boolean {
  return isStopped;
}

async function stop(): Promise<void> {
  isStopped = true;
  clearTimeout(timer);
  await redis.close();
  report({ kind: 'stopped' });
  parentPort?.close();
}

parentPort?.on('message', (order: LeaseOrder) => {
  if (order.kind === 'update') lease = order.lease;
  else void stop();
});

// A beat that stalls between renewals is seen within a second, not within a whole interval.
setInterval(watchLoop, 1000).unref();
try {
  await redis.connect();
  await tick();
} catch (error) {
  // A worker that is stopped as soon as it has started closes the connection that is being made.
  if (!hasStopped()) throw error;
}
