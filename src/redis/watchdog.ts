/**
 * Finds connections that are dead and do not know it (a firewall forgot them, a host vanished): costs nothing per command,
 * it only looks now and then whether bytes still come. Counterpart: redis-py's socket_timeout and health_check_interval.
 */

import { BrokerConnectionError } from '../errors.ts';

/** What the watchdog sees of a connection. */
export interface Watched {
  /** Bytes received on the present socket; null while there is no usable one. */
  bytesRead(): number | null;
  /** Commands without a reply. */
  pending(): number;
  /** Silence with a command waiting after which the connection is dropped; null for ever. */
  replyLimitMs(): number | null;
  ping(): void;
  /** Ends the socket; the reconnect follows from that. */
  drop(reason: BrokerConnectionError): void;
}

export interface Watchdog {
  /** One look; the timer does it. */
  look(nowMs: number): void;
  stop(): void;
}

export function startWatchdog(watched: Watched, healthCheckMs: number | null, lookEveryMs: number): Watchdog {
  let lastBytes: number | null = null;
  let lastChange = performance.now();
  /** Since when a command waits without a byte arriving; null when none does. */
  let waitingSince: number | null = null;

  const look = (nowMs: number): void => {
    const bytes = watched.bytesRead();
    const pending = watched.pending() > 0;
    if (bytes !== lastBytes || bytes === null) {
      lastBytes = bytes;
      lastChange = nowMs;
      waitingSince = null;
    }
    if (bytes === null) return;
    if (!pending) {
      waitingSince = null;
      if (healthCheckMs !== null && nowMs - lastChange >= healthCheckMs) {
        lastChange = nowMs;
        watched.ping();
      }
      return;
    }
    waitingSince ??= nowMs;
    const limitMs = watched.replyLimitMs();
    if (limitMs !== null && nowMs - waitingSince >= limitMs) {
      waitingSince = null;
      watched.drop(new BrokerConnectionError(`no reply for ${limitMs / 1000} s, the connection is taken for dead`));
    }
  };

  const timer = setInterval(() => look(performance.now()), lookEveryMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}
