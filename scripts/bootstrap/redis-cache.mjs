/*
 * The server binary kept in the project's cache, so that a second start needs no network: one manifest names it, and
 * a rung that fetched one puts it in here.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { inCache } from './paths.mjs';

/** @typedef {{ binary: string, libraryPath?: string, origin: string }} CachedServer */

const folder = () => inCache('redis');
const manifest = () => inCache('redis', 'current.json');

/**
 * Paths are kept relative, since a checkout may be moved with its cache.
 * @param {CachedServer} server
 */
export function rememberServer({ binary, libraryPath, origin }) {
  mkdirSync(folder(), { recursive: true });
  const toRelative = (/** @type {string} */ path) => relative(folder(), path);
  const entry = {
    binary: toRelative(binary),
    ...(libraryPath === undefined ? {} : { libraryPath: libraryPath.split(':').map(toRelative) }),
    origin,
  };
  const draft = `${manifest()}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(entry, null, 2));
  renameSync(draft, manifest());
}

/**
 * @returns {CachedServer}
 * @throws {Error} when nothing usable is kept
 */
export function recallServer() {
  if (!existsSync(manifest())) throw new Error('nothing fetched yet');
  const entry = JSON.parse(readFileSync(manifest(), 'utf8'));
  const binary = resolve(folder(), String(entry.binary));
  if (!existsSync(binary)) throw new Error('the kept binary is gone');
  return {
    binary,
    ...(Array.isArray(entry.libraryPath)
      ? { libraryPath: entry.libraryPath.map((/** @type {string} */ path) => resolve(folder(), path)).join(':') }
      : {}),
    origin: String(entry.origin),
  };
}
