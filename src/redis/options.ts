/** How a connection behaves; what openRedis and openSubscriber take beside the target. */

import { type BackoffPolicy } from '../util/backoff.ts';

export interface RedisOptions {
  /** CLIENT SETNAME. @defaultValue none */
  readonly clientName?: string | null;
  /** Time for one try to reach the server, TLS included. @defaultValue 4000 (broker_connection_timeout) */
  readonly connectTimeoutMs?: number;
  /**
   * Silence of the server while a command waits for its reply after which the connection counts as dead and is made
   * anew. A blocking read gets `longestBlockMs` on top. null: wait for ever. @defaultValue 60000
   */
  readonly replyTimeoutMs?: number | null;
  /** Give it on a connection for blocking reads: the longest one asks Redis to wait; Infinity for ever. @defaultValue 0 */
  readonly longestBlockMs?: number;
  /** PING after this much idle time. null: never. @defaultValue 25000 (health_check_interval) */
  readonly healthCheckMs?: number | null;
  /** Whether the first connection is tried again when it fails. @defaultValue true */
  readonly retryOnConnect?: boolean;
  /** Whether a connection that was usable is made again when it is lost. @defaultValue true */
  readonly retryOnLoss?: boolean;
  /**
   * Whether the first connection is tried again although the server refused us: asked for a password, did not know the
   * one given, lacked a permission. An administrator may mend that while we wait. @defaultValue false
   */
  readonly retryRefusals?: boolean;
  /** Tries in a row before giving up; null or 0 for ever. @defaultValue null */
  readonly maxRetries?: number | null;
  /** Pauses between tries. @defaultValue 0 s, then 2 s more each time up to 30 s, as Celery; plus up to a quarter */
  readonly backoff?: BackoffPolicy;
  /**
   * Whether commands that had no reply when the connection was lost are sent again: so they must be idempotent, or
   * scripts that find out whether they already ran. false: they reject with BrokerConnectionError, for destructive reads.
   * @defaultValue true
   */
  readonly resend?: boolean;
  /** `broker_failover_strategy`: which of several URLs comes next. @defaultValue 'round-robin' */
  readonly failover?: 'round-robin' | 'shuffle';
}

/** Celery: kombu's Connection.ensure_connection, interval_step 2, interval_max 30; the first retry comes at once. */
export const DEFAULT_BACKOFF: BackoffPolicy = { startMs: 0, stepMs: 2_000, maxMs: 30_000, jitter: 0.25 };

export type CompleteOptions = {
  readonly [K in keyof RedisOptions]-?: NonNullable<RedisOptions[K]> | (null extends RedisOptions[K] ? null : never);
};

export function withDefaults(options: RedisOptions): CompleteOptions {
  return {
    clientName: null,
    connectTimeoutMs: 4_000,
    replyTimeoutMs: 60_000,
    longestBlockMs: 0,
    healthCheckMs: 25_000,
    retryOnConnect: true,
    retryOnLoss: true,
    retryRefusals: false,
    maxRetries: null,
    backoff: DEFAULT_BACKOFF,
    resend: true,
    failover: 'round-robin',
    ...options,
  };
}

/** For connections beside a program's main one: they never give up by themselves, whatever the main one does. */
export function untiring(options: RedisOptions): RedisOptions {
  return { ...options, retryOnConnect: true, retryOnLoss: true, retryRefusals: true, maxRetries: null };
}
