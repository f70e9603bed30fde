/*
 * A Redis or Valkey server process of our own: free port, loopback only, its own temporary folder, nothing kept on
 * disk, stopped by its process id.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, startProgram, stopProgram } from './processes.mjs';
import { checkServer } from './redis-facts.mjs';

/** So many that each test file can have one. */
const DATABASES = 64;
const START_LIMIT_MS = 15_000;

/**
 * `binary` and `libraryPath` are there where it is a program of this machine: more servers can be started from them.
 * @typedef {{
 *   url: string, host: string, port: number, version: string, databases: number[], stop(): Promise<void>,
 *   binary?: string, libraryPath?: string,
 * }} OwnServer
 */

/** @returns {Promise<number>} a port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * Waits until the server at `url` answers and is new enough.
 * @param {string} url
 * @param {() => string | undefined} whyEnded a reason once the server's process has ended
 */
export async function waitForServer(url, whyEnded) {
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const reason = whyEnded();
    if (reason !== undefined) throw new Error(reason);
    try {
      return await checkServer(url, { limitMs: 2_000 });
    } catch (error) {
      const isStarting = /ECONNREFUSED|closed before|no answer|LOADING/.test(String(error));
      if (!isStarting || performance.now() > deadline) throw error;
    }
    await sleep(25);
  }
}

/**
 * @param {string} binary
 * @param {{ libraryPath?: string }} [options] libraryPath: where a binary from an unpacked package finds its libraries
 * @returns {Promise<OwnServer>}
 */
export async function startServer(binary, { libraryPath } = {}) {
  // Between probing and binding another process may take the port.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(binary, libraryPath);
    } catch (error) {
      if (attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/**
 * @param {string} binary
 * @param {string | undefined} libraryPath
 * @returns {Promise<OwnServer>}
 */
async function startOnce(binary, libraryPath) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-redis-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  const child = startProgram(
    binary,
    // prettier-ignore
    [
      '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no',
      '--dir', folder, '--databases', String(DATABASES), '--loglevel', 'warning',
    ],
    {
      // A locale that the machine doesn't have stops Redis 7 at start.
      env: { ...process.env, LC_ALL: 'C', ...(libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let words = '';
  const listen = (/** @type {Buffer} */ chunk) => (words = (words + chunk.toString()).slice(-4_000));
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  child.once('error', (error) => (words += error.message));

  const stop = async () => {
    await stopProgram(child, { graceMs: 3_000 });
    process.removeListener('exit', removeFolder);
    removeFolder();
  };
  const url = `redis://127.0.0.1:${port}/0`;
  try {
    const version = await waitForServer(url, () =>
      hasEnded(child)
        ? words.trim().split('\n').slice(-2).join(' ') || `it ended with code ${child.exitCode}`
        : undefined,
    );
    return {
      url,
      host: '127.0.0.1',
      port,
      version,
      databases: Array.from({ length: DATABASES }, (_, i) => i),
      stop,
      binary,
      ...(libraryPath === undefined ? {} : { libraryPath }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
