/*
 * The Redis URLs a person may hand to the bootstrap, read without any dependency: redis, rediss, and a unix socket in
 * redis-py's (unix://) and Celery's (redis+socket://) spelling.
 */
import { BootstrapError } from './log.mjs';

/**
 * @typedef {{
 *   host: string, port: number, path?: string, tls: boolean, rejectUnauthorized: boolean,
 *   username?: string, password?: string, database: number, hasDatabase: boolean,
 * }} RedisAddress
 */

/**
 * @param {string} url
 * @returns {RedisAddress}
 * @throws {BootstrapError} for anything but a URL of a single Redis server
 */
export function readRedisUrl(url) {
  /** @type {URL} */
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    throw new BootstrapError(`${JSON.stringify(hidePassword(url))} is not a URL`);
  }
  const isSocket = parsed.protocol === 'unix:' || parsed.protocol === 'redis+socket:';
  if (!isSocket && parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new BootstrapError(
      `${parsed.protocol}// is not a URL of one Redis server (use redis://, rediss://, unix:// or redis+socket://)`,
    );
  }
  const numberText =
    (isSocket
      ? (parsed.searchParams.get('virtual_host') ?? parsed.searchParams.get('db'))
      : parsed.pathname.slice(1)) ?? '';
  if (!/^\d*$/.test(numberText)) throw new BootstrapError(`database ${JSON.stringify(numberText)} is not a number`);
  return {
    host: isSocket ? 'localhost' : parsed.hostname.replace(/^\[|\]$/g, '') || 'localhost',
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    ...(isSocket ? { path: decodeURIComponent(parsed.pathname) } : {}),
    tls: parsed.protocol === 'rediss:',
    rejectUnauthorized: !/^(cert_)?none$/i.test(parsed.searchParams.get('ssl_cert_reqs') ?? ''),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    database: Number(numberText),
    hasDatabase: numberText !== '',
  };
}

/**
 * The same server, another database.
 * @param {string} url
 * @param {number} database
 */
export function withDatabase(url, database) {
  const parsed = new URL(url);
  if (parsed.protocol === 'unix:' || parsed.protocol === 'redis+socket:') {
    parsed.searchParams.delete('db');
    parsed.searchParams.delete('virtual_host');
    parsed.searchParams.set(parsed.protocol === 'unix:' ? 'db' : 'virtual_host', String(database));
  } else {
    parsed.pathname = `/${database}`;
  }
  return parsed.href;
}

/**
 * For printing.
 * @param {string} url
 */
export const hidePassword = (url) => url.replace(/^([^/]*\/\/[^:@/]*):[^@]*@/, '$1:***@');
