/**
 * Connection URLs to where Redis is: every form kombu and Celery's Redis backend read, for broker and result backend.
 * Counterparts: kombu/utils/url.py and kombu/transport/redis.py _connparams, 5.6.2; celery/backends/redis.py
 * _params_from_url, 5.6.3. Invariant: no password reaches `displayUrl` or the text of an error.
 */

import { ConfigError } from '../errors.ts';
import { maskUrl } from '../util/masked-url.ts';
import { nearestName } from '../util/nearest.ts';
import { SSL_KEYS, parseTls, type TlsSettings } from './tls.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** How to ask Sentinels which server is the master. */
export interface SentinelSettings {
  readonly masterName: string;
  readonly sentinels: readonly RedisAddress[];
  /** A Sentinel's word counts only when it sees at least this many others. */
  readonly minOtherSentinels: number;
  readonly username: string | null;
  readonly password: string | null;
  /** TLS to the Sentinels themselves. */
  readonly tls: TlsSettings | null;
}

/** One server, or one set of Sentinels that knows it. */
export interface RedisServer {
  /** Where it listens; with `sentinel` set this is only the first Sentinel's address, for display. */
  readonly address: RedisAddress;
  /** Unix socket; instead of the address. */
  readonly socketPath: string | null;
  readonly sentinel: SentinelSettings | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: TlsSettings | null;
  readonly displayUrl: string;
}

/** Where to connect: the servers in the order to try them (failover), all with the same data in the same database. */
export interface RedisTarget {
  readonly servers: readonly [RedisServer, ...RedisServer[]];
  readonly db: number;
  /** Without passwords, as Celery's "Connected to ..." shows it. */
  readonly displayUrl: string;
  /** Connection options given in the URL's query, seconds and names as redis-py has them. */
  readonly query: RedisQuery;
  /** Things the user should know and that do not prevent a start. */
  readonly warnings: readonly string[];
}

export interface RedisQuery {
  readonly socketTimeoutSeconds?: number;
  readonly socketConnectTimeoutSeconds?: number;
  readonly healthCheckIntervalSeconds?: number;
  readonly clientName?: string;
}

export interface TargetOptions {
  /** The setting the URL stands in, for errors. @defaultValue 'broker_url' */
  readonly setting?: string;
  /** `broker_transport_options` or `result_backend_transport_options`: master_name, sentinel_kwargs, min_other_sentinels. */
  readonly transportOptions?: Readonly<Record<string, unknown>>;
  /** `broker_use_ssl` or `redis_backend_use_ssl`: a dict of ssl_* keys; true is TLS with the system's authorities. */
  readonly useSsl?: boolean | Readonly<Record<string, unknown>> | null;
  /** What holds where the URL says nothing: `redis_username`, `redis_password`, `redis_db`. */
  readonly defaults?: {
    readonly username?: string | null;
    readonly password?: string | null;
    readonly db?: number | null;
  };
}

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;

const HOW_TO =
  'give redis://[user:password@]host[:6379][/db], rediss://... (TLS), redis+socket:///path/to.sock?virtual_host=0 or sentinel://host:26379;sentinel://host2:26379';

/** Query options of redis-py that mean nothing here: how its pool, its retries and its decoding work. */
const IGNORED_QUERY = new Set([
  'socket_keepalive',
  'retry_on_timeout',
  'retry_on_error',
  'max_connections',
  'timeout',
  'protocol',
  'encoding',
  'decode_responses',
]);
const KNOWN_QUERY = [
  'virtual_host',
  'db',
  'socket_timeout',
  'socket_connect_timeout',
  'health_check_interval',
  'client_name',
  ...SSL_KEYS,
];

type Query = ReadonlyMap<string, string>;

interface UrlParts {
  readonly scheme: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly host: string | null;
  readonly port: number | null;
  /** Without its leading slash, percent-decoded. */
  readonly path: string;
  readonly query: Query;
}

/**
 * Reads one URL, several joined by `;`, or a list of them.
 * @throws ConfigError when a URL is malformed, names another kind of broker, or the URLs do not fit together.
 */
export function parseRedisTarget(urls: string | readonly string[], options: TargetOptions = {}): RedisTarget {
  const setting = options.setting ?? 'broker_url';
  const texts = (typeof urls === 'string' ? [urls] : urls)
    .flatMap((url) => {
      if (typeof url !== 'string') throw new ConfigError(`${setting} must be a URL, not ${typeof url}; ${HOW_TO}`);
      return url.split(';');
    })
    .map((url) => url.trim())
    .filter((url) => url !== '');
  if (texts.length === 0) throw new ConfigError(`${setting} is empty; ${HOW_TO}`);

  const warnings: string[] = [];
  const parts = texts.map((text) => parseUrl(text, setting));
  const first = parts[0] as UrlParts;
  const sentinels = parts.filter((part) => part.scheme === 'sentinel');
  if (sentinels.length > 0 && sentinels.length < parts.length) {
    throw new ConfigError(
      `${setting}: sentinel:// and other URLs cannot be mixed: the Sentinels already know where to fail over to`,
    );
  }

  const db = databaseOf(first, setting) ?? options.defaults?.db ?? 0;
  const servers =
    sentinels.length > 0
      ? [sentinelServer(first, sentinels, db, setting, options, warnings)]
      : parts.map((part) => plainServer(part, db, setting, options, warnings));
  for (const [index, part] of parts.entries()) {
    const other = databaseOf(part, setting);
    if (index === 0 || other === null || other === db) continue;
    if (sentinels.length === 0) {
      throw new ConfigError(
        `${setting}: the URLs name different databases (${db} and ${other}); failover needs the same data in the same database`,
      );
    }
    warnings.push(
      `${setting}: the database comes from the first sentinel:// URL, as in Celery: using ${db}, not ${other}.`,
    );
  }

  const query = connectionQuery(first.query, setting);
  return {
    servers: servers as unknown as RedisTarget['servers'],
    db,
    displayUrl: servers.map((server) => server.displayUrl).join(';'),
    query,
    warnings,
  };
}

function plainServer(
  part: UrlParts,
  db: number,
  setting: string,
  options: TargetOptions,
  warnings: string[],
): RedisServer {
  const isSocket = part.scheme === 'socket' || part.scheme === 'redis+socket';
  if (isSocket && part.path === '')
    throw new ConfigError(`${setting}: a socket URL needs a path: redis+socket:///path/to.sock`);
  const address = { host: part.host ?? 'localhost', port: part.port ?? DEFAULT_PORT };
  const credentials = credentialsOf(part, options);
  return {
    address,
    socketPath: isSocket ? `/${part.path}` : null,
    sentinel: null,
    ...credentials,
    tls: isSocket ? null : tlsOf(part, setting, options, warnings),
    displayUrl: isSocket
      ? `${part.scheme}://${displayCredentials(credentials)}/${part.path}?virtual_host=${db}`
      : `${part.scheme}://${displayCredentials(credentials)}${displayAddress(address)}/${db}`,
  };
}

function sentinelServer(
  first: UrlParts,
  parts: readonly UrlParts[],
  db: number,
  setting: string,
  options: TargetOptions,
  warnings: string[],
): RedisServer {
  const transport = options.transportOptions ?? {};
  const optionsName = setting.startsWith('result') ? 'result_backend_transport_options' : 'broker_transport_options';
  const masterName = transport.master_name;
  if (typeof masterName !== 'string' || masterName === '') {
    throw new ConfigError(
      `${setting} is a sentinel:// URL: ${optionsName} must name the master, {"master_name": "mymaster"}`,
    );
  }
  const addresses = parts.map((part) => ({ host: part.host ?? 'localhost', port: part.port ?? DEFAULT_SENTINEL_PORT }));
  const credentials = credentialsOf(first, options);
  const own = sentinelKwargs(transport.sentinel_kwargs, `${optionsName}.sentinel_kwargs`, warnings);
  const others = transport.min_other_sentinels ?? 0;
  if (typeof others !== 'number' || !Number.isInteger(others) || others < 0) {
    throw new ConfigError(`${optionsName}.min_other_sentinels must be a whole number from 0`);
  }
  return {
    address: addresses[0] as RedisAddress,
    socketPath: null,
    sentinel: { masterName, sentinels: addresses, minOtherSentinels: others, ...own },
    ...credentials,
    tls: tlsOf(first, setting, options, warnings),
    displayUrl: addresses
      .map((address) => `sentinel://${displayCredentials(credentials)}${displayAddress(address)}/${db}`)
      .join(';'),
  };
}

/** The Sentinels' own user, password and TLS, by the names redis-py's Sentinel connections take them. */
function sentinelKwargs(
  given: unknown,
  source: string,
  warnings: string[],
): Pick<SentinelSettings, 'username' | 'password' | 'tls'> {
  if (given === undefined || given === null) return { username: null, password: null, tls: null };
  if (typeof given !== 'object' || Array.isArray(given)) throw new ConfigError(`${source} must be a dict`);
  const text = (key: string): string | null => {
    const value = (given as Record<string, unknown>)[key];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value !== 'string') throw new ConfigError(`${source}.${key} must be a string`);
    return value;
  };
  const ssl = Object.fromEntries(Object.entries(given).filter(([key]) => key === 'ssl' || key.startsWith('ssl_')));
  const wantsTls = ssl.ssl === true || (ssl.ssl === undefined && Object.keys(ssl).length > 0);
  return {
    username: text('username'),
    password: text('password'),
    tls: wantsTls ? parseTls(ssl, source, warnings) : null,
  };
}

function credentialsOf(part: UrlParts, options: TargetOptions): Pick<RedisServer, 'username' | 'password'> {
  return {
    username: part.username ?? options.defaults?.username ?? null,
    password: part.password ?? options.defaults?.password ?? null,
  };
}

function tlsOf(part: UrlParts, setting: string, options: TargetOptions, warnings: string[]): TlsSettings | null {
  const fromQuery = Object.fromEntries([...part.query].filter(([key]) => key.startsWith('ssl_')));
  const useSsl = options.useSsl ?? false;
  const fromSetting = typeof useSsl === 'object' ? useSsl : {};
  const wanted = part.scheme === 'rediss' || useSsl === true || Object.keys(fromSetting).length > 0;
  if (!wanted) {
    if (Object.keys(fromQuery).length === 0) return null;
    throw new ConfigError(`${setting}: ssl_* options need a rediss:// URL, not ${part.scheme}://`);
  }
  // Celery's backend refuses TLS options with redis://; its broker connects with TLS then, and so do we.
  if (part.scheme === 'redis' && setting.startsWith('result')) {
    throw new ConfigError(`${setting}: redis_backend_use_ssl is set, so the URL must be rediss://, not redis://`);
  }
  return parseTls({ ...fromSetting, ...fromQuery }, setting, warnings);
}

function databaseOf(part: UrlParts, setting: string): number | null {
  const isSocket = part.scheme === 'socket' || part.scheme === 'redis+socket';
  const named = part.query.get('virtual_host') ?? part.query.get('db') ?? (isSocket ? '' : part.path);
  const text = named.replace(/^\/+|\/+$/g, '');
  if (text === '') return null;
  if (!/^\d{1,9}$/.test(text)) {
    throw new ConfigError(`${setting}: the database must be a number from 0, as in redis://host:6379/0, not "${text}"`);
  }
  return Number(text);
}

function connectionQuery(query: Query, setting: string): RedisQuery {
  for (const key of query.keys()) {
    if (KNOWN_QUERY.includes(key) || IGNORED_QUERY.has(key)) continue;
    const nearest = nearestName(key, KNOWN_QUERY);
    throw new ConfigError(
      `${setting}: unknown option "${key}" in the URL${nearest ? `, did you mean "${nearest}"?` : ''}`,
    );
  }
  const seconds = (key: string): number | undefined => {
    const text = query.get(key);
    if (text === undefined || text === '' || text === 'None') return undefined;
    const value = Number(text);
    if (!(value >= 0 && Number.isFinite(value)))
      throw new ConfigError(`${setting}: ${key} in the URL must be seconds, not "${text}"`);
    return value;
  };
  const [timeout, connect, health] = [
    seconds('socket_timeout'),
    seconds('socket_connect_timeout'),
    seconds('health_check_interval'),
  ];
  const clientName = query.get('client_name');
  return {
    ...(timeout === undefined ? {} : { socketTimeoutSeconds: timeout }),
    ...(connect === undefined ? {} : { socketConnectTimeoutSeconds: connect }),
    ...(health === undefined ? {} : { healthCheckIntervalSeconds: health }),
    ...(clientName === undefined ? {} : { clientName }),
  };
}

const SCHEMES = new Set(['redis', 'rediss', 'redis+socket', 'socket', 'sentinel']);

/** Splits as Python's urlparse does, so that what works there works here: user part up to the last @ before the path. */
function parseUrl(text: string, setting: string): UrlParts {
  const shape = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/s.exec(text);
  if (!shape) throw new ConfigError(`${setting}: "${maskUrl(text)}" is no URL; ${HOW_TO}`);
  const scheme = (shape[1] as string).toLowerCase();
  if (!SCHEMES.has(scheme)) {
    throw new ConfigError(
      `${setting}: ${scheme}:// is not supported, celeriac talks to Redis only; ${HOW_TO}, or run the tasks of that broker with Celery`,
    );
  }

  const authority = shape[2] as string;
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? '' : authority.slice(0, at);
  const colon = user.indexOf(':');
  const hostAndPort = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority.slice(at + 1));
  const portText = hostAndPort?.[2] ?? '';
  const port = portText === '' ? null : Number(portText);
  if (!hostAndPort || (port !== null && !(/^\d+$/.test(portText) && port > 0 && port < 65536))) {
    // Never show what stood there: an unencoded / in a password makes the rest of it look like a port.
    throw new ConfigError(
      `${setting}: no valid host and port in the ${scheme}:// URL; a password with / ? # or @ must be percent-encoded`,
    );
  }
  const host = (hostAndPort[1] as string).replace(/^\[|\]$/g, '');
  const decode = (encoded: string): string => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  };
  return {
    scheme,
    username: decode(colon < 0 ? user : user.slice(0, colon)) || null,
    password: colon < 0 ? null : decode(user.slice(colon + 1)) || null,
    host: decode(host) || null,
    port,
    path: decode(shape[3] as string).replace(/^\//, ''),
    query: new Map(new URLSearchParams(shape[4] ?? '')),
  };
}

function displayAddress({ host, port }: RedisAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function displayCredentials({ username, password }: Pick<RedisServer, 'username' | 'password'>): string {
  if (username === null && password === null) return '';
  return `${encodeURIComponent(username ?? '')}${password === null ? '' : ':**'}@`;
}
