/*
 * The last resort of the quickstart: js-redis-server, an in-memory stand-in written in JavaScript, in a child process
 * (its work must not stall the script's own loop). Good for a demonstration, not for tests, benchmarks or durability.
 */
import { startProgram, hasEnded, stopProgram } from './processes.mjs';
import { inRoot } from './paths.mjs';
import { freePort, waitForServer } from './redis-process.mjs';

/** @returns {Promise<import('./redis-process.mjs').OwnServer>} */
export async function startStandIn() {
  const port = await freePort();
  const child = startProgram(process.execPath, [inRoot('scripts', 'bootstrap', 'stand-in-server.mjs'), String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr?.on('data', (chunk) => (words = (words + String(chunk)).slice(-4_000)));
  const url = `redis://127.0.0.1:${port}/0`;
  const stop = () => stopProgram(child, { graceMs: 2_000 });
  try {
    const version = await waitForServer(url, () =>
      hasEnded(child) ? (/^\w*Error.*$/m.exec(words)?.[0] ?? `it ended with code ${child.exitCode}`) : undefined,
    );
    return {
      url,
      host: '127.0.0.1',
      port,
      version: `js-redis-server (as ${version})`,
      databases: Array.from({ length: 16 }, (_, i) => i),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
