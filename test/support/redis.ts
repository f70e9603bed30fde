/**
 * A real Redis for tests: the server CELERIAC_TEST_REDIS_URL names, or one of our own per test file. Everything started
 * here is ended by stop(); a test process that dies takes its servers along.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestRedis {
  /** Database 0. */
  readonly url: string;
  readonly port: number;
  /** The URL of a database nobody else in this test file was given; empty. */
  freshDb(): string;
  stop(): Promise<void>;
}

export interface TestServer {
  readonly port: number;
  readonly url: string;
  /** The server's own directory, for sockets and certificates; removed by stop(). */
  readonly directory: string;
  readonly pid: number;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const DATABASES = 256;

export async function testRedis(): Promise<TestRedis> {
  const given = process.env.CELERIAC_TEST_REDIS_URL;
  if (given) return sharedRedis(given);
  const server = await startServer(['--databases', String(DATABASES)]);
  let next = 1;
  return {
    url: `${server.url}/0`,
    port: server.port,
    freshDb: () => {
      if (next >= DATABASES) throw new Error('no database left on the test server');
      return `${server.url}/${next++}`;
    },
    stop: () => server.stop(),
  };
}

/** Each jest worker takes 4 of the 16 databases of a shared server, and empties them first. */
async function sharedRedis(given: string): Promise<TestRedis> {
  const url = new URL(given);
  const port = Number(url.port || 6379);
  const base = given.replace(/\/\d*$/, '');
  const worker = (Number(process.env.JEST_WORKER_ID ?? 1) - 1) % 3;
  const numbers = [1, 2, 3, 4, 5].map((offset) => worker * 5 + offset);
  for (const number of numbers) {
    await ask(port, url.hostname, [
      ...(url.password
        ? [['AUTH', ...(url.username ? [decodeURIComponent(url.username)] : []), decodeURIComponent(url.password)]]
        : []),
      ['SELECT', String(number)],
      ['FLUSHDB'],
    ]);
  }
  let next = 0;
  return {
    url: given,
    port,
    freshDb: () => {
      const number = numbers[next++];
      if (number === undefined) throw new Error('no database left on the shared test server');
      return `${base}/${number}`;
    },
    stop: () => Promise.resolve(),
  };
}

/** A redis-server (or valkey-server) with these further arguments; `first` stands before all (a configuration file). */
export async function startServer(
  extraArgs: readonly string[] = [],
  options: { port?: number; first?: readonly string[] } = {},
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'celeriac-redis-'));
  const port = options.port ?? (await freePort());
  const args = [
    ...(options.first ?? []),
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    directory,
    ...extraArgs,
  ];
  const child = await spawnServer(args);
  const onExit = (): void => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', onExit);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.off('exit', onExit);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  const server: TestServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    directory,
    pid: child.pid as number,
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await untilListening(child, port);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function spawnServer(args: readonly string[]): Promise<ChildProcess> {
  for (const binary of ['redis-server', 'valkey-server']) {
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const failure = await Promise.race([
      once(child, 'spawn').then(() => null),
      once(child, 'error').then(([error]) => error as NodeJS.ErrnoException),
    ]).catch((error: unknown) => error as NodeJS.ErrnoException);
    if (!failure) return child;
    if (failure.code !== 'ENOENT') throw failure;
  }
  throw new Error('no redis-server or valkey-server on the PATH; install one or set CELERIAC_TEST_REDIS_URL');
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (child.exitCode !== null) throw new Error(`the test server ended with code ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the test server did not start');
}

/** A few commands over a bare socket, so that this file needs no client. */
async function ask(port: number, host: string, commands: readonly (readonly string[])[]): Promise<void> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  for (const words of commands) {
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (answer.toString().startsWith('-'))
      throw new Error(`the shared test server refused ${words[0] ?? ''}: ${answer.toString()}`);
  }
  socket.destroy();
}
