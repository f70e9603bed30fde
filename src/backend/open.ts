/**
 * From the settings to a backend: which one, where, how patient. Settings as celery/app/defaults.py names them (`redis`,
 * `result`), in camelCase. Counterparts: celery/app/backends.py (by_url), backends/redis.py (RedisBackend.__init__), 5.6.3.
 */
import { ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { openRedis } from '../redis/connection.ts';
import type { RedisOptions } from '../redis/options.ts';
import type { RedisEvents, RedisPort } from '../redis/port.ts';
import { openSubscriber } from '../redis/subscriber.ts';
import { parseRedisTarget, type RedisTarget } from '../redis/url.ts';
import { DisabledBackend, type Backend } from './backend.ts';
import { ResultKeys } from './keys.ts';
import { MetaCodec } from './meta-codec.ts';
import { RedisBackend } from './redis-backend.ts';
import type { RetrySettings } from './retry-policy.ts';

type Given<T> = T | null | undefined;

/** The settings read here; what is not given has Celery's default. */
export interface BackendConfig {
  readonly resultBackend?: Given<string>;
  readonly resultBackendTransportOptions?: Given<Readonly<Record<string, unknown>>>;
  /** Seconds. */
  readonly resultExpires?: number | null | undefined;
  readonly resultSerializer?: Given<string>;
  readonly resultAcceptContent?: Given<readonly string[]>;
  readonly acceptContent?: Given<readonly string[]>;
  readonly resultExtended?: Given<boolean>;
  readonly timezone?: Given<string>;
  readonly resultBackendAlwaysRetry?: Given<boolean>;
  readonly resultBackendMaxRetries?: Given<number>;
  readonly resultBackendBaseSleepBetweenRetriesMs?: Given<number>;
  readonly resultBackendMaxSleepBetweenRetriesMs?: Given<number>;
  readonly redisBackendUseSsl?: Given<boolean | Readonly<Record<string, unknown>>>;
  readonly redisUsername?: Given<string>;
  readonly redisPassword?: Given<string>;
  readonly redisHost?: Given<string>;
  readonly redisPort?: Given<number>;
  readonly redisDb?: Given<number>;
  readonly redisClientName?: Given<string>;
  /** Seconds. */
  readonly redisSocketTimeout?: Given<number>;
  /** Seconds. */
  readonly redisSocketConnectTimeout?: Given<number>;
  /** Seconds. */
  readonly redisBackendHealthCheckInterval?: Given<number>;
}

export interface OpenOptions {
  /** True in a worker: a result is kept until it is written, however long Redis is away. @defaultValue false */
  readonly keepForEver?: boolean;
}

/**
 * A client's backend connects with its first use. A worker's connects now, so that what only other settings can mend ends
 * the start with BrokerConnectionError; a Redis that is away, or lets nobody in, does not: the results wait for it.
 * @throws ConfigError for settings that fit no backend
 */
export async function openBackend(config: BackendConfig, logger: Logger, options: OpenOptions = {}): Promise<Backend> {
  const url = urlOf(config);
  if (url === null) return new DisabledBackend();
  const transportOptions = config.resultBackendTransportOptions ?? {};
  const target = parseRedisTarget(url, {
    setting: 'result_backend',
    transportOptions,
    useSsl: config.redisBackendUseSsl ?? null,
    defaults: {
      username: config.redisUsername ?? null,
      password: config.redisPassword ?? null,
      db: config.redisDb ?? null,
    },
  });
  for (const warning of target.warnings) logger.warn(`result_backend: ${warning}`);
  const { keepForEver = false } = options;
  // A worker waits for whoever mends the server, as it does at its broker; a client is told at once.
  const connection = { ...connectionOptions(config, target), retryRefusals: keepForEver };
  const redis = openRedis(target, connection);
  const backend = new RedisBackend({
    redis,
    openSubscriber: () => openSubscriber(target, connection),
    codec: codecOf(config),
    keys: new ResultKeys(textOption(transportOptions, 'global_keyprefix')),
    logger,
    ...(config.resultExpires === undefined ? {} : { expiresSeconds: config.resultExpires }),
    retry: retrySettings(config, transportOptions),
    keepForEver,
  });
  if (keepForEver) {
    try {
      await firstTry(redis, logger);
    } catch (error) {
      redis.destroy();
      throw error;
    }
  }
  return backend;
}

/** null: no backend. `redis` alone stands for redis_host, redis_port and redis_db, as in Celery. */
function urlOf(config: BackendConfig): string | null {
  const { resultBackend, redisHost, redisPort, redisDb } = config;
  if (resultBackend === null || resultBackend === undefined || resultBackend === '') return null;
  if (resultBackend === 'disabled' || resultBackend === 'disabled://') return null;
  if (resultBackend === 'redis') return `redis://${redisHost ?? 'localhost'}:${redisPort ?? 6379}/${redisDb ?? 0}`;
  return resultBackend;
}

function codecOf(config: BackendConfig): MetaCodec {
  return new MetaCodec({
    serializer: config.resultSerializer ?? 'json',
    acceptContent: config.resultAcceptContent ?? config.acceptContent ?? null,
    extended: config.resultExtended ?? false,
    ...(config.timezone ? { timeZone: config.timezone } : {}),
  });
}

function connectionOptions(config: BackendConfig, target: RedisTarget): RedisOptions {
  const { query } = target;
  const connectSeconds = query.socketConnectTimeoutSeconds ?? config.redisSocketConnectTimeout;
  const replySeconds = query.socketTimeoutSeconds ?? config.redisSocketTimeout;
  const healthSeconds = query.healthCheckIntervalSeconds ?? config.redisBackendHealthCheckInterval;
  return {
    clientName: query.clientName ?? config.redisClientName ?? null,
    ...(connectSeconds ? { connectTimeoutMs: connectSeconds * 1000 } : {}),
    ...(replySeconds ? { replyTimeoutMs: replySeconds * 1000 } : {}),
    ...(healthSeconds ? { healthCheckMs: healthSeconds * 1000 } : {}),
  };
}

function retrySettings(config: BackendConfig, transportOptions: Readonly<Record<string, unknown>>): RetrySettings {
  const policy = transportOptions['retry_policy'];
  const maxRetries =
    typeof policy === 'object' && policy !== null ? (policy as Readonly<Record<string, unknown>>)['max_retries'] : null;
  if (maxRetries !== null && maxRetries !== undefined && !(typeof maxRetries === 'number' && maxRetries >= 0)) {
    throw new ConfigError(
      'result_backend_transport_options: retry_policy.max_retries must be a number from 0, or null',
    );
  }
  return {
    alwaysRetry: config.resultBackendAlwaysRetry ?? false,
    maxRetries: config.resultBackendMaxRetries ?? Infinity,
    baseSleepMs: config.resultBackendBaseSleepBetweenRetriesMs ?? 10,
    maxSleepMs: config.resultBackendMaxSleepBetweenRetriesMs ?? 10_000,
    ...(typeof maxRetries === 'number' ? { policyMaxRetries: maxRetries } : {}),
  };
}

function textOption(options: Readonly<Record<string, unknown>>, name: string): string {
  const value = options[name] ?? '';
  if (typeof value !== 'string') {
    throw new ConfigError(`result_backend_transport_options: ${name} must be a text, not ${JSON.stringify(value)}`);
  }
  return value;
}

/** Settles when the connection is usable or the first try has failed for now; rejects when it was refused for good. */
async function firstTry(redis: RedisPort, logger: Logger): Promise<void> {
  let onRetrying: RedisEvents['retrying'] = () => undefined;
  const away = new Promise<string>((resolve) => {
    onRetrying = (_delayMs, _attempt, error) => resolve(error?.message ?? 'the server closed the connection');
  });
  redis.on('retrying', onRetrying);
  const connected = redis.connect();
  let reason: string | undefined;
  try {
    reason = await Promise.race([connected.then(() => undefined), away]);
  } finally {
    redis.off('retrying', onRetrying);
  }
  if (reason === undefined) return;
  logger.warn(`the result backend ${redis.displayUrl} is not there yet, results wait for it: ${reason}`);
  connected.catch(() => undefined);
  redis.on('gaveUp', (error) => logger.critical(`the result backend is given up: ${error.message}`));
}
