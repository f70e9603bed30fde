/**
 * celery-node's `conf`, with its option names, and what its options are among celeriac's settings. Counterpart: app/conf.js
 * of celery-node 0.5.9, whose broker and backend options are those of the Redis client ioredis.
 */
import type { Settings } from '../config/config.ts';
import { ConfigError } from '../errors.ts';

/** May be changed until the client or worker is first used. */
export interface CeleryConf {
  CELERY_BROKER: string;
  /** Options of ioredis: password, username, db, keyPrefix, tls. */
  CELERY_BROKER_OPTIONS: object;
  CELERY_BACKEND: string;
  CELERY_BACKEND_OPTIONS: object;
  CELERY_QUEUE: string;
  /** 2. A 1 is read as 2, which every Celery since 3.1.25 understands. */
  TASK_PROTOCOL: number;
}

export function defaultConf(broker: string, backend: string, queue: string): CeleryConf {
  return {
    CELERY_BROKER: broker,
    CELERY_BROKER_OPTIONS: {},
    CELERY_BACKEND: backend,
    CELERY_BACKEND_OPTIONS: {},
    CELERY_QUEUE: queue,
    TASK_PROTOCOL: 2,
  };
}

/** @throws ConfigError for an option that has no meaning here, or a URL without one. */
export function settingsOf(conf: CeleryConf): Settings {
  if (conf.TASK_PROTOCOL !== 1 && conf.TASK_PROTOCOL !== 2) {
    throw new ConfigError(`conf.TASK_PROTOCOL must be 1 or 2, not ${String(conf.TASK_PROTOCOL)}`);
  }
  const broker = readConnection('CELERY_BROKER', conf.CELERY_BROKER, conf.CELERY_BROKER_OPTIONS);
  const backend = readConnection('CELERY_BACKEND', conf.CELERY_BACKEND, conf.CELERY_BACKEND_OPTIONS);
  return {
    brokerUrl: broker.url,
    resultBackend: backend.url,
    taskDefaultQueue: conf.CELERY_QUEUE,
    ...(broker.keyPrefix === null ? {} : { brokerTransportOptions: { global_keyprefix: broker.keyPrefix } }),
    ...(backend.keyPrefix === null ? {} : { resultBackendTransportOptions: { global_keyprefix: backend.keyPrefix } }),
    ...(broker.ssl === null ? {} : { brokerUseSsl: broker.ssl }),
    ...(backend.ssl === null ? {} : { redisBackendUseSsl: backend.ssl }),
  };
}

interface Connection {
  readonly url: string;
  readonly keyPrefix: string | null;
  readonly ssl: Readonly<Record<string, string>> | null;
}

/** How a connection is kept up is celeriac's own business; these are taken and not looked at. */
const TUNING: ReadonlySet<string> = new Set([
  'autoResendUnfulfilledCommands',
  'autoResubscribe',
  'connectTimeout',
  'connectionName',
  'enableOfflineQueue',
  'enableReadyCheck',
  'family',
  'keepAlive',
  'lazyConnect',
  'maxRetriesPerRequest',
  'noDelay',
  'reconnectOnError',
  'retryStrategy',
  'showFriendlyErrorStack',
]);

function readConnection(name: string, address: string, options: object): Connection {
  let keyPrefix: string | null = null;
  let ssl: Connection['ssl'] = null;
  const rest: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(options) as [string, unknown][]) {
    if (value === undefined || value === null || TUNING.has(option)) continue;
    if (option === 'keyPrefix') keyPrefix = text(name, option, value);
    else if (option === 'tls') ssl = readTls(name, value);
    else if (['password', 'username', 'db'].includes(option)) rest[option] = value;
    else {
      throw new ConfigError(
        `conf.${name}_OPTIONS: celeriac has no "${option}"; put host, port and Sentinels into the URL (docs/celery-node.md)`,
      );
    }
  }
  return { url: withOptions(name, address, rest, ssl !== null), keyPrefix, ssl };
}

/** As in ioredis, an option holds where the URL says nothing. */
function withOptions(name: string, address: string, rest: Readonly<Record<string, unknown>>, isTls: boolean): string {
  if (Object.keys(rest).length === 0 && !isTls) return address;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new ConfigError(`conf.${name} is no URL; its options cannot be added to it`);
  }
  const { username, password, db } = rest;
  if (url.username === '' && username !== undefined) url.username = text(name, 'username', username);
  if (url.password === '' && password !== undefined) url.password = text(name, 'password', password);
  if (['', '/'].includes(url.pathname) && db !== undefined) url.pathname = `/${text(name, 'db', db)}`;
  const written = url.toString();
  return isTls ? written.replace(/^redis:/u, 'rediss:') : written;
}

/** Of Node's TLS options those that a Redis client needs. */
function readTls(name: string, value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) throw new ConfigError(`conf.${name}_OPTIONS: tls must be an object`);
  const ssl: Record<string, string> = { ssl_cert_reqs: 'required' };
  for (const [option, given] of Object.entries(value) as [string, unknown][]) {
    if (option === 'rejectUnauthorized') ssl['ssl_cert_reqs'] = given === false ? 'none' : 'required';
    else if (option === 'ca' && (typeof given === 'string' || Buffer.isBuffer(given)))
      ssl['ssl_ca_data'] = String(given);
    else if (option !== 'servername') {
      throw new ConfigError(
        `conf.${name}_OPTIONS: tls.${option} is not taken over; name the files in the URL: rediss://...?ssl_certfile=...&ssl_keyfile=...`,
      );
    }
  }
  return ssl;
}

function text(name: string, option: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new ConfigError(`conf.${name}_OPTIONS: ${option} must be a text, not ${typeof value}`);
}
