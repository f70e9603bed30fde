import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { openRedis } from '../../../src/redis/connection.ts';
import { type RedisOptions } from '../../../src/redis/options.ts';
import { type RedisPort } from '../../../src/redis/port.ts';
import { parseRedisTarget, type TargetOptions } from '../../../src/redis/url.ts';
import { freePort, startServer, type TestServer } from '../../support/redis.ts';

const run = promisify(execFile);
const QUICK: RedisOptions = { backoff: { startMs: 10, stepMs: 20, maxMs: 100, jitter: 0 }, connectTimeoutMs: 2_000 };

const ports: RedisPort[] = [];
const servers: TestServer[] = [];
const directories: string[] = [];

function open(url: string | readonly string[], options: RedisOptions & TargetOptions = {}): RedisPort {
  const port = openRedis(parseRedisTarget(url, options), { ...QUICK, ...options });
  ports.push(port);
  return port;
}

afterEach(() => {
  for (const port of ports.splice(0)) port.destroy();
});
afterAll(async () => {
  await Promise.all(servers.map((started) => started.stop()));
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

async function server(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const started = await startServer(...args);
  servers.push(started);
  return started;
}

describe('passwords and users', () => {
  let guarded: TestServer;
  const at = (credentials: string): string => `redis://${credentials}@127.0.0.1:${guarded.port}/1`;

  beforeAll(async () => {
    guarded = await server([
      '--requirepass',
      'pa:ss@/ü',
      '--user',
      'worker',
      'on',
      '>se%cret',
      '~*',
      '&*',
      '+@all',
      '-flushall',
    ]);
  });

  test('a percent-encoded password opens the server', async () => {
    expect(await open(at(':pa%3Ass%40%2F%C3%BC')).command('PING')).toBe('PONG');
  });

  test('an ACL user with its password opens it, and a missing permission is told', async () => {
    const port = open(at('worker:se%25cret'));
    expect(await port.command('ACL', 'WHOAMI')).toBe('worker');
    await expect(port.command('FLUSHALL')).rejects.toThrow(/lacks a permission \(ACL\).*flushall/);
  });

  test('without a password the error says to give one, and no further try is made', async () => {
    const port = open(`redis://127.0.0.1:${guarded.port}`);
    let tries = 0;
    port.on('retrying', () => tries++);
    await expect(port.connect()).rejects.toThrow(/asks for a password: put it into the URL/);
    expect(tries).toBe(0);
  });

  test('a wrong password is refused for good, and no error shows it', async () => {
    const port = open(at('worker:hunter2'));
    const error = await port.connect().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringContaining('user name or password is wrong') });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('hunter2');
  });

  test('a password that becomes wrong later is tried again until it is right', async () => {
    const own = await server(['--requirepass', 'one']);
    const port = open(`redis://:one@127.0.0.1:${own.port}`);
    const admin = open(`redis://:one@127.0.0.1:${own.port}`);
    await Promise.all([port.connect(), admin.connect()]);
    await admin.command('CONFIG', 'SET', 'requirepass', 'two');
    const refused = new Promise<Error | null>((resolve) => {
      port.on('retrying', (_delayMs, attempt, error) => attempt === 2 && resolve(error));
    });
    await admin.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const waiting = port.command('PING');
    expect((await refused)?.message).toContain('password is wrong');
    await admin.command('CONFIG', 'SET', 'requirepass', 'one');
    expect(await waiting).toBe('PONG');
  });

  test('a database the server does not have is refused, never replaced by database 0', async () => {
    const port = open(`redis://:pa%3Ass%40%2F%C3%BC@127.0.0.1:${guarded.port}/999`);
    await expect(port.command('SET', 'k', 'v')).rejects.toThrow(/no database of that number/);
  });
});

test('a Unix socket, with its database in the query', async () => {
  const own = await server([]);
  const path = join(own.directory, 'redis.sock');
  const sockets = await server(['--unixsocket', path]);
  expect(sockets.port).toBeGreaterThan(0);
  const port = open(`redis+socket://${path}?virtual_host=2`);
  await port.command('SET', 'k', 'v');
  expect(await open(`redis://127.0.0.1:${sockets.port}/2`).command('GET', 'k')).toBe('v');
  await expect(open(`socket://${path}.none`, { retryOnConnect: false }).connect()).rejects.toThrow(/no such socket/);
});

test('the client name is set', async () => {
  const own = await server([]);
  expect(await open(own.url, { clientName: 'celeriac-w1' }).command('CLIENT', 'GETNAME')).toBe('celeriac-w1');
});

describe('TLS', () => {
  let directory: string;
  let secure: TestServer;
  let tlsPort: number;
  const file = (name: string): string => join(directory, name);
  const url = (query: string): string => `rediss://127.0.0.1:${tlsPort}/0?${query}`;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'celeriac-tls-'));
    directories.push(directory);
    const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: directory });
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
    );
    await openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'node.key',
      '-out',
      'node.csr',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    );
    await openssl(
      'x509',
      '-req',
      '-in',
      'node.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'node.pem',
      '-days',
      '2',
      '-copy_extensions',
      'copy',
    );
    tlsPort = await freePort();
    secure = await server([
      ...['--tls-port', String(tlsPort), '--tls-cert-file', file('node.pem'), '--tls-key-file', file('node.key')],
      ...['--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'yes'],
    ]);
  }, 60_000);

  const own = (): string => `ssl_certfile=${file('node.pem')}&ssl_keyfile=${file('node.key')}`;

  test('authority, client certificate and key from the query', async () => {
    const port = open(
      `rediss://localhost:${tlsPort}/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=${encodeURIComponent(file('ca.pem'))}&${own()}`,
    );
    expect(await port.command('PING')).toBe('PONG');
  });

  test('the same from broker_use_ssl, also with redis:// as in kombu', async () => {
    const useSsl = {
      ssl_ca_certs: file('ca.pem'),
      ssl_certfile: file('node.pem'),
      ssl_keyfile: file('node.key'),
      ssl_cert_reqs: 'required',
    };
    expect(await open(`redis://localhost:${tlsPort}`, { useSsl }).command('PING')).toBe('PONG');
  });

  test('CERT_NONE accepts any certificate', async () => {
    expect(await open(url(`ssl_cert_reqs=none&${own()}`)).command('PING')).toBe('PONG');
  });

  test('a certificate for another host is refused, unless ssl_check_hostname is false', async () => {
    const ca = `ssl_ca_certs=${file('ca.pem')}&${own()}`;
    await expect(open(url(ca)).connect()).rejects.toThrow(/for another host name; ssl_check_hostname=false accepts it/);
    expect(await open(url(`${ca}&ssl_check_hostname=false`)).command('PING')).toBe('PONG');
  });

  test('an unknown authority is refused with the option to set', async () => {
    await expect(open(url(own())).connect()).rejects.toThrow(/name the authority in ssl_ca_certs/);
  });

  test('a missing client certificate is told', async () => {
    await expect(open(`rediss://localhost:${tlsPort}/0?ssl_ca_certs=${file('ca.pem')}`).connect()).rejects.toThrow(
      /wants a client certificate: give ssl_certfile/,
    );
  });

  test('an unreadable certificate file is told with its option', async () => {
    await expect(open(url('ssl_ca_certs=/nowhere/ca.pem')).connect()).rejects.toThrow(
      'cannot read ssl_ca_certs "/nowhere/ca.pem"',
    );
  });

  test('TLS to a port that speaks none, and none to a port that does, are told', async () => {
    await expect(
      open(`rediss://127.0.0.1:${secure.port}`, { retryOnConnect: false, connectTimeoutMs: 500 }).connect(),
    ).rejects.toThrow(/does not speak TLS at this port/);
    await expect(open(`redis://127.0.0.1:${tlsPort}`, { retryOnConnect: false }).connect()).rejects.toThrow(
      /if the port speaks TLS, use rediss:/,
    );
  });
});

describe('Sentinel', () => {
  let master: TestServer;
  let replica: TestServer;
  let sentinels: TestServer[];

  beforeAll(async () => {
    master = await server(['--requirepass', 'data', '--masterauth', 'data']);
    replica = await server([
      '--replicaof',
      '127.0.0.1',
      String(master.port),
      '--requirepass',
      'data',
      '--masterauth',
      'data',
    ]);
    sentinels = await Promise.all(
      [1, 2].map(async () => {
        const sentinel = await sentinelServer();
        const admin = openRedis(parseRedisTarget(`redis://:watch@127.0.0.1:${sentinel.port}`), QUICK);
        await admin.command('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', master.port, 1);
        await admin.command('SENTINEL', 'SET', 'mymaster', 'auth-pass', 'data');
        await admin.command('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', 500);
        await admin.command('SENTINEL', 'SET', 'mymaster', 'failover-timeout', 5_000);
        await admin.close();
        return sentinel;
      }),
    );
  }, 60_000);

  /** Sentinel insists on a configuration file it may rewrite. */
  async function sentinelServer(): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), 'celeriac-sentinel-'));
    directories.push(directory);
    const path = join(directory, 'sentinel.conf');
    await writeFile(path, 'requirepass watch\n');
    return server([], { first: [path, '--sentinel'] });
  }

  const url = (): string => sentinels.map((sentinel) => `sentinel://:data@127.0.0.1:${sentinel.port}/2`).join(';');
  const transportOptions = { master_name: 'mymaster', sentinel_kwargs: { password: 'watch' } };

  test('leads to the master, with its own password and that of the Sentinels', async () => {
    const port = open(url(), { transportOptions });
    await port.command('SET', 'k', 'v');
    expect(await open(`redis://:data@127.0.0.1:${master.port}/2`).command('GET', 'k')).toBe('v');
    expect(port.displayUrl).not.toMatch(/data|watch/);
  });

  test('a name no Sentinel knows is told with what each said', async () => {
    const port = open(url(), {
      transportOptions: { ...transportOptions, master_name: 'other' },
      retryOnConnect: false,
    });
    await expect(port.connect()).rejects.toThrow(
      /no Sentinel knows a usable master "other" \(127.0.0.1:\d+: .*No such master.*;.*No such master/,
    );
  });

  test('a missing or wrong password of the Sentinels is told', async () => {
    const port = open(url(), { transportOptions: { master_name: 'mymaster' }, retryOnConnect: false });
    await expect(port.connect()).rejects.toThrow(/asks for a password/);
  });

  test('min_other_sentinels refuses Sentinels that see too few others', async () => {
    const port = open(url(), {
      transportOptions: { ...transportOptions, min_other_sentinels: 7 },
      retryOnConnect: false,
    });
    await expect(port.connect()).rejects.toThrow(/min_other_sentinels is 7/);
  });

  test('follows a failover: commands wait and go to the new master', async () => {
    const first = sentinels[0] as TestServer;
    const port = open(url(), { transportOptions });
    await port.command('SET', 'k', 'before');
    const watcher = open(`redis://:watch@127.0.0.1:${first.port}`);
    for (let tries = 0; tries < 100; tries++) {
      const state = (await watcher.command('SENTINEL', 'MASTER', 'mymaster')) as string[];
      if (state[state.indexOf('num-slaves') + 1] === '1') break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await master.kill();
    const set = port.command('SET', 'k', 'after');
    expect(await set).toBe('OK');
    expect(await open(`redis://:data@127.0.0.1:${replica.port}/2`).command('GET', 'k')).toBe('after');
  }, 60_000);
});
