/*
 * A server binary out of Debian's redis-server package, unpacked into the project's cache: no root, no service.
 */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from './apt.mjs';
import { inCache } from './paths.mjs';

/**
 * The folders below `folder` that hold shared libraries.
 * @param {string} folder
 * @returns {string[]}
 */
function libraryFolders(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder).map((name) => join(folder, name));
  return [
    ...(entries.some((path) => path.includes('.so')) ? [folder] : []),
    ...entries.filter((path) => lstatSync(path).isDirectory()).flatMap(libraryFolders),
  ];
}

/**
 * @param {import('./log.mjs').Log} log
 * @returns {Promise<import('./redis-cache.mjs').CachedServer>}
 */
export async function fetchFromDebian(log) {
  const home = inCache('redis', 'debian');
  rmSync(home, { recursive: true, force: true });
  log.step('redis', "fetching Debian's redis-server package (unpacked, not installed)");
  // redis-server's binary is a link into redis-tools.
  await unpackPackages(['redis-server', 'redis-tools'], home, { log, withDependencies: true });
  const binary = join(home, 'usr', 'bin', 'redis-server');
  if (!existsSync(binary)) throw new Error("Debian's package holds no usr/bin/redis-server");
  const libraries = ['usr/lib', 'lib'].flatMap((folder) => libraryFolders(join(home, folder)));
  return {
    binary,
    ...(libraries.length === 0 ? {} : { libraryPath: libraries.join(':') }),
    origin: "Debian's redis-server package",
  };
}
