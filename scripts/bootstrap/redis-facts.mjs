/*
 * What the bootstrap must know of a server before it hands it on: new enough, and which databases nobody uses.
 */
import { askRedis } from './resp.mjs';
import { withDatabase } from './redis-address.mjs';

/** BLMOVE, on which waiting without losing stands, came with Redis 6.2; Valkey began at 7.2. */
const FLOOR = /** @type {const} */ ([6, 2]);

/**
 * The name and version in an INFO reply. Valkey reports the Redis it is compatible with as redis_version and its own
 * as valkey_version.
 * @param {string} info
 * @returns {{ name: 'Redis' | 'Valkey', version: string, isNewEnough: boolean }}
 */
export function readServerInfo(info) {
  const field = (/** @type {string} */ name) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const compatible = field('redis_version');
  if (compatible === undefined) throw new Error('it answers, but its INFO names no redis_version');
  const [major = 0, minor = 0] = compatible.split('.').map(Number);
  const valkey = field('valkey_version');
  return {
    name: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? compatible,
    isNewEnough: major > FLOOR[0] || (major === FLOOR[0] && minor >= FLOOR[1]),
  };
}

/**
 * @param {string} url
 * @param {{ limitMs?: number }} [options]
 * @returns {Promise<string>} for printing: "Valkey 9.1.2"
 * @throws {Error} when it doesn't answer, refuses us, or is too old
 */
export async function checkServer(url, options) {
  const [info] = await askRedis(url, [['INFO', 'server']], options);
  if (info instanceof Error) throw info;
  const { name, version, isNewEnough } = readServerInfo(String(info));
  if (!isNewEnough) throw new Error(`${name} ${version} is too old: ${FLOOR.join('.')} or newer is needed`);
  return `${name} ${version}`;
}

/**
 * Which databases of a server that isn't ours are empty and which hold keys. Looking is all that is done to it.
 * @param {string} url
 * @returns {Promise<{ empty: number[], taken: number[] }>} those that can't be looked into are in neither
 */
export async function lookIntoDatabases(url) {
  const [config] = await askRedis(withDatabase(url, 0), [['CONFIG', 'GET', 'databases']]);
  // CONFIG is refused by managed servers and narrow ACLs; 16 is Redis's default, and SELECT refuses what isn't there.
  const count = Array.isArray(config) ? Math.min(Number(config[1] ?? 16), 64) : 16;
  const commands = Array.from({ length: count }, (_, number) => [['SELECT', String(number)], ['DBSIZE']]).flat();
  const replies = await askRedis(withDatabase(url, 0), commands);
  const sizes = Array.from({ length: count }, (_, number) =>
    replies[2 * number] instanceof Error ? undefined : replies[2 * number + 1],
  );
  const numbersWhere = (/** @type {(size: number) => boolean} */ fits) =>
    sizes.flatMap((size, number) => (typeof size === 'number' && fits(size) ? [number] : []));
  return { empty: numbersWhere((size) => size === 0), taken: numbersWhere((size) => size > 0) };
}
