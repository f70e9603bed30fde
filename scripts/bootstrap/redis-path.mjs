/*
 * A folder for the PATH in which `redis-server` and `valkey-server` are the server that the bootstrap found, wherever
 * it is and whatever libraries it needs, so that tests can start it by its usual name.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inCache } from './paths.mjs';

const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * @param {string} binary
 * @param {string | undefined} libraryPath
 * @returns {string} the folder
 */
export function putOnPath(binary, libraryPath) {
  const folder = inCache('bin');
  mkdirSync(folder, { recursive: true });
  const environment = [
    // Redis 7 refuses to start in a locale that the machine doesn't have.
    'export LC_ALL=C',
    ...(libraryPath === undefined ? [] : [`export LD_LIBRARY_PATH=${quoted(libraryPath)}`]),
  ];
  // exec: the process id is the server's own, for whoever wants to kill it.
  const script = ['#!/bin/sh', ...environment, `exec ${quoted(binary)} "$@"`, ''].join('\n');
  for (const name of ['redis-server', 'valkey-server']) {
    const draft = join(folder, `${name}.${process.pid}`);
    writeFileSync(draft, script, { mode: 0o755 });
    renameSync(draft, join(folder, name));
  }
  return folder;
}
