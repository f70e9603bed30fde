import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerConnectionError, RedisReplyError } from '../../../src/errors.ts';
import { openRedis } from '../../../src/redis/connection.ts';
import { type RedisOptions } from '../../../src/redis/options.ts';
import { type RedisPort, type Script } from '../../../src/redis/port.ts';
import { requireServer } from '../../../src/redis/server-info.ts';
import { parseRedisTarget } from '../../../src/redis/url.ts';
import { freePort, startServer, testRedis, type TestRedis, type TestServer } from '../../support/redis.ts';

const QUICK: RedisOptions = { backoff: { startMs: 10, stepMs: 20, maxMs: 100, jitter: 0 }, connectTimeoutMs: 1_000 };

let redis: TestRedis;
const ports: RedisPort[] = [];
const servers: TestServer[] = [];

function open(url: string | readonly string[], options: RedisOptions = {}): RedisPort {
  const port = openRedis(parseRedisTarget(url), { ...QUICK, ...options });
  ports.push(port);
  return port;
}

async function server(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const started = await startServer(...args);
  servers.push(started);
  return started;
}

const once = (port: RedisPort, event: 'ready' | 'lost' | 'retrying'): Promise<unknown[]> =>
  new Promise((resolve) => {
    const listener = (...args: unknown[]): void => {
      port.off(event, listener);
      resolve(args);
    };
    port.on(event, listener);
  });

async function killClients(observer: RedisPort): Promise<void> {
  await observer.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

beforeAll(async () => {
  redis = await testRedis();
});
afterEach(async () => {
  for (const port of ports.splice(0)) port.destroy();
  await Promise.all(servers.splice(0).map((started) => started.stop()));
});
afterAll(() => redis.stop());

describe('commands', () => {
  test('replies are strings, numbers and null as RESP2 gives them, whatever the case of the command', async () => {
    const port = open(redis.freshDb());
    expect(await port.command('set', 'k', 'ü')).toBe('OK');
    expect(await port.command('GET', 'k')).toBe('ü');
    expect(await port.command('get', 'none')).toBeNull();
    expect(await port.command('HSET', 'h', 'a', 1, 'b', 2)).toBe(2);
    expect(await port.command('hgetall', 'h')).toEqual(['a', '1', 'b', '2']);
    expect(await port.command('HGETALL', 'h')).toEqual(['a', '1', 'b', '2']);
  });

  test('commandBuffers keeps bytes that are no UTF-8', async () => {
    const port = open(redis.freshDb());
    const bytes = Buffer.from([0, 255, 254, 128]);
    await port.command('SET', 'b', bytes);
    expect(await port.commandBuffers('GET', 'b')).toEqual(bytes);
    expect(await port.commandBuffers('LRANGE', 'none', 0, -1)).toEqual([]);
  });

  test('the database of the URL is the one used', async () => {
    const url = redis.freshDb();
    await open(url).command('SET', 'here', '1');
    expect(await open(redis.url).command('EXISTS', 'here')).toBe(0);
    expect(await open(url).command('EXISTS', 'here')).toBe(1);
  });

  test('an error reply rejects with its first word and without the arguments of the command', async () => {
    const port = open(redis.freshDb());
    await port.command('SET', 'k', 'x');
    const error = await port.command('LPUSH', 'k', 'precious').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RedisReplyError);
    expect((error as RedisReplyError).reply).toBe('WRONGTYPE');
    expect((error as RedisReplyError).cause).not.toHaveProperty('command');
  });

  test('a pipeline gives each reply or its error, in order', async () => {
    const port = open(redis.freshDb());
    const replies = await port.pipeline([
      ['SET', 'k', 'v'],
      ['LPUSH', 'k', 'x'],
      ['GET', 'k'],
      ['HSET', 'h', 'f', Buffer.from('b')],
    ]);
    expect(replies).toEqual(['OK', expect.any(RedisReplyError), 'v', 1]);
    expect(await port.pipeline([])).toEqual([]);
  });

  test('a transaction gives the replies of its commands', async () => {
    const port = open(redis.freshDb());
    expect(
      await port.transaction([
        ['SET', 'k', '1'],
        ['INCR', 'k'],
        ['HSET', 'h', 'a', 'b'],
        ['HGETALL', 'h'],
      ]),
    ).toEqual(['OK', 2, 1, ['a', 'b']]);
  });

  test('a transaction with a refused command rejects and has no effect', async () => {
    const port = open(redis.freshDb());
    await expect(port.transaction([['SET', 'k', '1'], ['NOSUCHCOMMAND']])).rejects.toMatchObject({
      message: expect.stringContaining('unknown command'),
    });
    expect(await port.command('EXISTS', 'k')).toBe(0);
    await port.command('SET', 's', 'x');
    await expect(port.transaction([['LPUSH', 's', '1']])).rejects.toMatchObject({ reply: 'WRONGTYPE' });
  });

  test('1000 commands at once all get their own replies', async () => {
    const port = open(redis.freshDb());
    const replies = await Promise.all(Array.from({ length: 1_000 }, (_, index) => port.command('ECHO', index)));
    expect(replies).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
  });
});

test('the server tells what it is, and is accepted', async () => {
  const info = await requireServer(open(redis.url));
  expect(info).toMatchObject({ mode: 'standalone', clusterEnabled: false, role: 'master' });
  expect(info.version).toMatch(/^\d+\.\d+/);
});

test('a real Cluster node is refused, and a user who may not ask INFO is not', async () => {
  const cluster = await server(['--cluster-enabled', 'yes']);
  await expect(requireServer(open(cluster.url))).rejects.toThrow(/is a Redis Cluster/);
  const guarded = await server(['--user', 'mute', 'on', 'nopass', '~*', '+@all', '-info']);
  expect(await requireServer(open(`redis://mute:x@127.0.0.1:${guarded.port}`))).toMatchObject({ version: null });
});

describe('scripts', () => {
  const add: Script = {
    name: 'add',
    lua: '-- KEYS: counter. ARGV: amount. Returns the sum.\nreturn redis.call("INCRBY", KEYS[1], ARGV[1])',
  };

  test('a script unknown to the server is loaded once, also for many calls at once', async () => {
    const port = open(redis.freshDb());
    await port.command('SCRIPT', 'FLUSH');
    await port.command('CONFIG', 'RESETSTAT');
    const sums = await Promise.all(Array.from({ length: 50 }, () => port.run(add, ['n'], [1])));
    expect([...sums].sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    const stats = String(await port.command('INFO', 'commandstats'));
    expect(/cmdstat_script\|load:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
  });

  test('a script is loaded again after the server forgot it', async () => {
    const port = open(redis.freshDb());
    await port.run(add, ['n'], [1]);
    await port.command('SCRIPT', 'FLUSH');
    expect(await port.run(add, ['n'], [41])).toBe(42);
  });

  test('runBuffers returns bytes, run returns text', async () => {
    const port = open(redis.freshDb());
    const echo: Script = { name: 'echo', lua: 'return {ARGV[1], 7}' };
    expect(await port.runBuffers(echo, [], [Buffer.from([255, 0])])).toEqual([Buffer.from([255, 0]), 7]);
    expect(await port.run(echo, [], ['ä'])).toEqual(['ä', 7]);
  });

  test('an error names the script', async () => {
    const port = open(redis.freshDb());
    await expect(port.run({ name: 'broken', lua: 'return nothing.at.all' }, [], [])).rejects.toThrow(
      /^script broken: /,
    );
    await expect(port.run({ name: 'no-lua', lua: 'this is no lua' }, [], [])).rejects.toThrow(
      /^script no-lua: .*compil/,
    );
  });
});

describe('connection loss', () => {
  test('tells lost, retrying and ready, in this order', async () => {
    const port = open(redis.freshDb());
    await port.connect();
    const seen: string[] = [];
    port.on('lost', () => seen.push('lost'));
    port.on('retrying', (delayMs, attempt) => seen.push(`retrying ${delayMs} ${attempt}`));
    const ready = once(port, 'ready').then(() => seen.push('ready'));
    await killClients(open(redis.url));
    await ready;
    expect(seen).toEqual(['lost', 'retrying 10 1', 'ready']);
    expect(port.isReady).toBe(true);
  });

  test('commands issued while the server is away wait for it', async () => {
    const own = await server();
    const port = open(own.url);
    await port.connect();
    const lost = once(port, 'lost');
    await own.kill();
    await lost;
    expect(port.isReady).toBe(false);
    const reply = port.command('INCR', 'n');
    const all = port.pipeline([
      ['INCR', 'n'],
      ['INCR', 'n'],
    ]);
    const both = port.transaction([
      ['INCR', 'n'],
      ['INCR', 'n'],
    ]);
    await server([], { port: own.port });
    expect(await reply).toBe(1);
    expect(await all).toEqual([2, 3]);
    expect(await both).toEqual([4, 5]);
  });

  test('an unanswered command is sent again', async () => {
    const url = redis.freshDb();
    const [port, observer] = [open(url), open(url)];
    await Promise.all([port.connect(), observer.connect()]);
    const popped = port.command('BLPOP', 'list', 5);
    await sleep(50);
    const ready = once(port, 'ready');
    await killClients(observer);
    await ready;
    await observer.command('RPUSH', 'list', 'late');
    expect(await popped).toEqual(['list', 'late']);
  });

  test('resend: false rejects what had no reply, and later commands work', async () => {
    const port = open(redis.freshDb(), { resend: false, longestBlockMs: 5_000 });
    await port.connect();
    const popped = port.command('BLPOP', 'list', 5);
    const rejected = expect(popped).rejects.toThrow(/lost before the reply came/);
    await sleep(50);
    await killClients(open(redis.url));
    await rejected;
    expect(await port.command('PING')).toBe('PONG');
  });

  test('the pauses grow and are told, and maxRetries ends them with what went wrong', async () => {
    const port = open(`redis://127.0.0.1:${await freePort()}`, { maxRetries: 3 });
    const pauses: number[] = [];
    port.on('retrying', (delayMs) => pauses.push(delayMs));
    const waiting = port.command('PING').catch((error: unknown) => error);
    await expect(port.connect()).rejects.toThrow(/cannot connect to redis:\/\/127.0.0.1:\d+\/0: nothing listens there/);
    expect(pauses).toEqual([10, 30, 50]);
    expect(await waiting).toBeInstanceOf(BrokerConnectionError);
  });

  test('a port that gave up tries anew with the next command', async () => {
    const number = await freePort();
    const port = open(`redis://127.0.0.1:${number}`, { retryOnConnect: false });
    await expect(port.connect()).rejects.toThrow(BrokerConnectionError);
    await expect(port.command('PING')).rejects.toThrow(BrokerConnectionError);
    await server([], { port: number });
    expect(await port.command('PING')).toBe('PONG');
    await expect(port.connect()).resolves.toBeUndefined();
  });

  test('a first connection that is retried succeeds when the server comes up', async () => {
    const number = await freePort();
    const port = open(`redis://127.0.0.1:${number}`);
    const connected = port.connect();
    await once(port, 'retrying');
    await server([], { port: number });
    await connected;
    expect(port.isReady).toBe(true);
  });

  test('several URLs: the next one is used when the first is gone, and at once', async () => {
    const [first, second] = await Promise.all([server(), server()]);
    const port = open(`${first.url}/3;${second.url}/3`, {
      backoff: { startMs: 60_000, stepMs: 0, maxMs: 60_000, jitter: 0 },
    });
    await port.command('SET', 'who', 'first');
    await first.kill();
    expect(await port.command('SET', 'who', 'second')).toBe('OK');
    expect(await open(`${second.url}/3`).command('GET', 'who')).toBe('second');
  });

  test('a replica that refuses a write is left, and the write goes to the next server', async () => {
    const master = await server();
    const replica = await server(['--replicaof', '127.0.0.1', String(master.port)]);
    const port = open([replica.url, master.url]);
    expect(await port.command('SET', 'k', 'v')).toBe('OK');
    const again = open([replica.url, master.url]);
    expect(
      await again.transaction([
        ['SET', 'k', 'w'],
        ['GET', 'k'],
      ]),
    ).toEqual(['OK', 'w']);
    const script: Script = { name: 'write', lua: 'return redis.call("SET", KEYS[1], "x")' };
    expect(await open([replica.url, master.url]).run(script, ['k'], [])).toBe('OK');
  });

  test('a replica alone: the retries say what is wrong and their pauses grow', async () => {
    const master = await server();
    const replica = await server(['--replicaof', '127.0.0.1', String(master.port)]);
    const port = open(replica.url, { maxRetries: 3 });
    const seen: [number, string | undefined][] = [];
    port.on('retrying', (delayMs, _attempt, error) => seen.push([delayMs, error?.message]));
    await expect(port.command('SET', 'k', 'v')).rejects.toThrow(BrokerConnectionError);
    expect(seen.map(([delayMs]) => delayMs)).toEqual([10, 30, 50]);
    expect(seen[0]?.[1]).toContain('read-only replica');
  });

  test('commands wait while the server loads its data', async () => {
    const own = await server([
      ...['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024'],
      ...['--enable-debug-command', 'yes'],
    ]);
    const [port, other] = [open(own.url), open(own.url)];
    await port.pipeline(Array.from({ length: 1_000 }, (_, index) => ['SET', `k${index}`, 'x'.repeat(100)] as const));
    await other.connect();
    const errors: (string | undefined)[] = [];
    other.on('retrying', (_delayMs, _attempt, error) => errors.push(error?.message));
    const reloaded = port.command('DEBUG', 'RELOAD');
    await sleep(150);
    expect(await other.command('GET', 'k999')).toBe('x'.repeat(100));
    expect(errors[0]).toContain('loading its data');
    expect(await reloaded).toBe('OK');
  });
});

describe('silent servers', () => {
  const silent: { server: Server; sockets: Socket[] }[] = [];

  /** Answers `replies` chunks, then nothing more for ever. */
  async function silentServer(answer: (chunk: string) => string | null): Promise<number> {
    const sockets: Socket[] = [];
    const tcp = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (chunk) => {
        const reply = answer(chunk.toString());
        if (reply !== null) socket.write(reply);
      });
      socket.on('error', () => undefined);
    });
    silent.push({ server: tcp, sockets });
    tcp.listen(0, '127.0.0.1');
    await new Promise((resolve) => tcp.once('listening', resolve));
    return (tcp.address() as { port: number }).port;
  }

  afterEach(() => {
    for (const { server: tcp, sockets } of silent.splice(0)) {
      for (const socket of sockets) socket.destroy();
      tcp.close();
    }
  });

  const info = '$9\r\nloading:0\r\n';

  test('one that accepts and says nothing fails the try in time', async () => {
    const port = open(`redis://127.0.0.1:${await silentServer(() => null)}`, {
      connectTimeoutMs: 200,
      retryOnConnect: false,
    });
    await expect(port.connect()).rejects.toThrow(/no reply for 0.2 s/);
  });

  test('one that falls silent under a command is taken for dead', async () => {
    const port = open(`redis://127.0.0.1:${await silentServer((chunk) => (chunk.includes('info') ? info : null))}`, {
      replyTimeoutMs: 200,
      resend: false,
    });
    await port.connect();
    const lost = once(port, 'lost');
    await expect(port.command('GET', 'k')).rejects.toThrow(BrokerConnectionError);
    expect(await lost).toEqual([expect.objectContaining({ message: expect.stringContaining('no reply for 0.2 s') })]);
  });

  test('one that falls silent while idle is found by the health check', async () => {
    const port = open(`redis://127.0.0.1:${await silentServer((chunk) => (chunk.includes('info') ? info : null))}`, {
      replyTimeoutMs: 200,
      healthCheckMs: 100,
    });
    await port.connect();
    await once(port, 'lost');
  });

  test('a blocking read is not cut by the reply timeout, only past its own time', async () => {
    const port = open(redis.freshDb(), { replyTimeoutMs: 200, longestBlockMs: 1_000, resend: false });
    expect(await port.command('BLPOP', 'none', 0.8)).toBeNull();
    const forever = open(redis.freshDb(), {
      replyTimeoutMs: 100,
      longestBlockMs: Infinity,
      healthCheckMs: 50,
      resend: false,
    });
    const popped = forever.command('BLPOP', 'none', 0);
    expect(await Promise.race([popped, sleep(600, 'still waiting')])).toBe('still waiting');
    forever.destroy();
    await expect(popped).rejects.toThrow(BrokerConnectionError);
  });

  test('bytes that are no RESP reject the command and do not crash', async () => {
    const port = open(
      `redis://127.0.0.1:${await silentServer((chunk) => (chunk.includes('info') ? info : 'HTTP/1.1 400 Bad Request\r\n\r\n'))}`,
      { maxRetries: 1 },
    );
    await expect(port.command('GET', 'k')).rejects.toThrow(BrokerConnectionError);
  });
});

describe('closing', () => {
  test('close waits for the replies of what was sent and is idempotent', async () => {
    const port = open(redis.freshDb());
    await port.connect();
    const replies = Promise.all(Array.from({ length: 100 }, () => port.command('INCR', 'n')));
    await Promise.all([port.close(), port.close()]);
    expect((await replies).at(-1)).toBe(100);
    await port.close();
    await expect(port.command('PING')).rejects.toThrow(/is closed/);
    await expect(port.connect()).rejects.toThrow(/is closed/);
  });

  test('close before, during and between tries settles', async () => {
    const dormant = open(redis.freshDb());
    await dormant.close();
    const dead = `redis://127.0.0.1:${await freePort()}`;
    const trying = open(dead, { backoff: { startMs: 60_000, stepMs: 0, maxMs: 60_000, jitter: 0 } });
    const waiting = trying.command('PING').catch((error: unknown) => error);
    const connected = trying.connect().catch((error: unknown) => error);
    await once(trying, 'retrying');
    await trying.close();
    expect(await waiting).toBeInstanceOf(BrokerConnectionError);
    expect(await connected).toBeInstanceOf(BrokerConnectionError);
    const dialling = open('redis://10.255.255.1:6379');
    const reply = dialling.command('PING').catch((error: unknown) => error);
    await dialling.close();
    expect(await reply).toBeInstanceOf(BrokerConnectionError);
    const gaveUp = open(dead, { retryOnConnect: false });
    await gaveUp.connect().catch(() => undefined);
    await gaveUp.close();
  });

  test('destroy rejects what waits', async () => {
    const port = open(redis.freshDb(), { longestBlockMs: Infinity });
    const popped = port.command('BLPOP', 'none', 0);
    await port.connect();
    port.destroy();
    await expect(popped).rejects.toThrow(/is closed/);
  });
});
