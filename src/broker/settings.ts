/** What the settings mean for the broker: where it is, its keys, its transport options. Names as kombu 5.6 has them. */
import type { Config } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import type { RedisOptions } from '../redis/options.ts';
import { parseRedisTarget, type RedisTarget } from '../redis/url.ts';
import { FanoutChannels } from './fanout.ts';
import { BrokerKeys } from './keys.ts';
import { DEFAULT_PRIORITY_STEPS } from './priorities.ts';
import type { QueueOrderStrategy } from './sources.ts';

export interface BrokerSettings {
  readonly target: RedisTarget;
  readonly connection: RedisOptions;
  readonly keys: BrokerKeys;
  readonly prioritySteps: readonly number[];
  readonly queueOrderStrategy: QueueOrderStrategy;
  readonly fanout: FanoutChannels;
  readonly deadletterQueue: string | undefined;
  readonly visibilityTimeoutSeconds: number;
  readonly unackedMutexExpireSeconds: number;
  readonly unackedRestoreLimit: number | null;
  /** Kombu 5.6 sweeps every 10th time its 10 s timer fires. */
  readonly unackedRestoreIntervalSeconds: number;
}

/** @throws ConfigError for a URL that is none, or a transport option of a wrong type. */
export function brokerSettings(config: Config, purpose: 'read' | 'write'): BrokerSettings {
  const options = new TransportOptions(config.brokerTransportOptions);
  const url = (purpose === 'read' ? config.brokerReadUrl : config.brokerWriteUrl) ?? config.brokerUrl;
  const target = parseRedisTarget(url, {
    setting: 'broker_url',
    transportOptions: config.brokerTransportOptions,
    useSsl: config.brokerUseSsl,
  });
  const globalKeyprefix = options.text('global_keyprefix') ?? '';
  const keys = new BrokerKeys({
    globalKeyprefix,
    ...given('separator', options.text('sep')),
    ...given('unackedKey', options.text('unacked_key')),
    ...given('unackedIndexKey', options.text('unacked_index_key')),
    ...given('unackedMutexKey', options.text('unacked_mutex_key')),
  });
  return {
    target,
    connection: connectionOptions(config, purpose, options, target),
    keys,
    prioritySteps: options.numbers('priority_steps') ?? DEFAULT_PRIORITY_STEPS,
    queueOrderStrategy: options.oneOf('queue_order_strategy', ['round_robin', 'sorted', 'priority']) ?? 'round_robin',
    fanout: new FanoutChannels({
      database: target.db,
      globalKeyprefix,
      prefix: options.flagOrText('fanout_prefix') ?? true,
      patterns: options.flag('fanout_patterns') ?? true,
    }),
    deadletterQueue: options.text('deadletter_queue'),
    visibilityTimeoutSeconds: options.seconds('visibility_timeout') ?? 3600,
    unackedMutexExpireSeconds: options.seconds('unacked_mutex_expire') ?? 300,
    unackedRestoreLimit: options.seconds('unacked_restore_limit') ?? null,
    unackedRestoreIntervalSeconds:
      (options.seconds('unacked_restore_interval') ?? 10) * (options.seconds('unacked_restore_throttle') ?? 10),
  };
}

/** What the URL's own query says holds before the transport options. */
function connectionOptions(
  config: Config,
  purpose: 'read' | 'write',
  options: TransportOptions,
  { query }: RedisTarget,
): RedisOptions {
  const connectSeconds =
    query.socketConnectTimeoutSeconds ?? options.seconds('socket_connect_timeout') ?? config.brokerConnectionTimeout;
  const replySeconds = query.socketTimeoutSeconds ?? options.seconds('socket_timeout');
  const healthSeconds = query.healthCheckIntervalSeconds ?? options.seconds('health_check_interval');
  const retryOnConnect = config.brokerConnectionRetryOnStartup ?? config.brokerConnectionRetry;
  return {
    clientName: query.clientName ?? options.text('client_name') ?? null,
    connectTimeoutMs: connectSeconds * 1000,
    ...(replySeconds === undefined ? {} : { replyTimeoutMs: replySeconds === 0 ? null : replySeconds * 1000 }),
    ...(healthSeconds === undefined ? {} : { healthCheckMs: healthSeconds === 0 ? null : healthSeconds * 1000 }),
    retryOnConnect,
    retryOnLoss: purpose === 'write' || config.brokerConnectionRetry,
    // A worker waits for whoever mends the server, as Celery's does; a client is told at once.
    retryRefusals: purpose === 'read' && retryOnConnect,
    maxRetries: config.brokerConnectionMaxRetries,
    failover: config.brokerFailoverStrategy ?? 'round-robin',
  };
}

function given<K extends string, V>(key: K, value: V | undefined): Record<K, V> | Record<string, never> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

/** `broker_transport_options` as checked values; undefined where an option is not given. */
class TransportOptions {
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(options: Readonly<Record<string, unknown>>) {
    this.#options = options;
  }

  text(name: string): string | undefined {
    return this.#read(name, 'a text', (value) => typeof value === 'string') as string | undefined;
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, 'true or false', (value) => typeof value === 'boolean') as boolean | undefined;
  }

  flagOrText(name: string): boolean | string | undefined {
    const fits = (value: unknown): boolean => typeof value === 'boolean' || typeof value === 'string';
    return this.#read(name, 'true, false or a text', fits) as boolean | string | undefined;
  }

  seconds(name: string): number | undefined {
    const fits = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
    return this.#read(name, 'a number from 0', fits) as number | undefined;
  }

  numbers(name: string): number[] | undefined {
    const fits = (value: unknown): boolean =>
      Array.isArray(value) && value.length > 0 && value.every((step) => Number.isInteger(step));
    const steps = this.#read(name, 'a list of whole numbers', fits) as number[] | undefined;
    return steps === undefined ? undefined : [...steps].sort((a, b) => a - b);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    return this.#read(name, `one of ${values.join(', ')}`, (value) => values.includes(value as T)) as T | undefined;
  }

  #read(name: string, expected: string, fits: (value: unknown) => boolean): unknown {
    const value = this.#options[name];
    if (value === undefined || value === null) return undefined;
    if (fits(value)) return value;
    throw new ConfigError(`broker_transport_options: ${name} must be ${expected}, not ${JSON.stringify(value)}`);
  }
}
