/** What kind of server answers, and whether celeriac can work with it. */

import { ConfigError, RedisReplyError } from '../errors.ts';
import { type RedisPort } from './port.ts';

export interface ServerInfo {
  /** redis_version as told, '7.0.15'; null where the user may not ask (ACL) or the server does not tell. */
  readonly version: string | null;
  readonly mode: 'standalone' | 'sentinel' | 'cluster' | 'unknown';
  readonly clusterEnabled: boolean;
  readonly role: 'master' | 'replica' | 'unknown';
}

/** Redis' first version with LMOVE, BLMOVE, GETDEL, ZADD GT, which the broker's scripts need. */
export const OLDEST_VERSION = '6.2';

export async function serverInfo(port: RedisPort): Promise<ServerInfo> {
  let text: unknown;
  try {
    text = await port.command('INFO');
  } catch (error) {
    if (error instanceof RedisReplyError && error.reply === 'NOPERM') text = '';
    else throw error;
  }
  return readInfo(typeof text === 'string' ? text : '');
}

/** Reads the text of INFO. */
export function readInfo(text: string): ServerInfo {
  const fields = new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 && !line.startsWith('#') ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
  const mode = fields.get('redis_mode');
  const role = fields.get('role');
  return {
    version: fields.get('redis_version') ?? null,
    mode: mode === 'standalone' || mode === 'sentinel' || mode === 'cluster' ? mode : 'unknown',
    clusterEnabled: mode === 'cluster' || fields.get('cluster_enabled') === '1',
    role: role === 'master' ? 'master' : role === 'slave' || role === 'replica' ? 'replica' : 'unknown',
  };
}

/**
 * Refuses a server celeriac cannot work with, before anything is written to it.
 * `keyPrefixes`: every prefix of keys in use; only where all carry one hash tag is a Cluster let through.
 * @throws ConfigError that says what to use instead.
 */
export async function requireServer(port: RedisPort, keyPrefixes: readonly string[] = []): Promise<ServerInfo> {
  const info = await serverInfo(port);
  checkServer(info, port.displayUrl, keyPrefixes);
  return info;
}

export function checkServer(info: ServerInfo, displayUrl: string, keyPrefixes: readonly string[] = []): void {
  if (info.version !== null && isOlder(info.version, OLDEST_VERSION)) {
    throw new ConfigError(
      `${displayUrl} is Redis ${info.version}; celeriac needs Redis ${OLDEST_VERSION} or newer (or Valkey)`,
    );
  }
  if (info.mode === 'sentinel') {
    throw new ConfigError(
      `${displayUrl} is a Sentinel, not a Redis server: write the URL as sentinel://host:26379 and name the master in the transport option master_name`,
    );
  }
  if (info.clusterEnabled && !haveOneHashTag(keyPrefixes)) {
    throw new ConfigError(
      `${displayUrl} is a Redis Cluster. Celery's keys for unacknowledged messages are shared by all queues and its chord keys carry no hash tag, so they cannot live on one slot: use a single server or Sentinel`,
    );
  }
}

function isOlder(version: string, oldest: string): boolean {
  const have = version.split('.').map((part) => Number.parseInt(part, 10));
  const need = oldest.split('.').map(Number);
  for (const [index, part] of need.entries()) {
    const own = have[index] ?? 0;
    if (Number.isNaN(own) || own > part) return false;
    if (own < part) return true;
  }
  return false;
}

/** Redis hashes only what stands between the first { and the next }. */
function haveOneHashTag(prefixes: readonly string[]): boolean {
  const tags = new Set(prefixes.map((prefix) => /\{([^}]+)\}/.exec(prefix)?.[1] ?? null));
  return tags.size === 1 && !tags.has(null);
}
