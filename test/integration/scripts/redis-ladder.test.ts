/** The ladder with the real thing: servers of our own, found on the PATH or named by an URL. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keptLog, script } from '../../support/scripts.ts';

const folder = mkdtempSync(join(tmpdir(), 'celeriac-bootstrap-'));
process.env['CELERIAC_CACHE_DIR'] = join(folder, 'cache');

const { startRedis } = await script('bootstrap/redis');
const { askRedis } = await script('bootstrap/resp');
const { checkServer } = await script('bootstrap/redis-facts');
const { which } = await script('bootstrap/run');
const { putOnPath } = await script('bootstrap/redis-path');

const VARIABLE = 'CELERIAC_BOOTSTRAP_TEST_URL';
const path = process.env['PATH'] ?? '';

afterEach(() => {
  process.env['PATH'] = path;
  delete process.env[VARIABLE];
  delete process.env['CELERIAC_BOOTSTRAP_SKIP'];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasServer = which('redis-server', 'valkey-server') !== undefined;
const withServer = hasServer ? describe : describe.skip;

withServer('with a server on the PATH', () => {
  let started: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    started = await startRedis({ log: keptLog(), urlFrom: VARIABLE });
  });
  afterAll(() => started.stop());

  test('it is started on a port of its own, on loopback only, with nothing kept on disk', async () => {
    expect(started.kind).toBe('path');
    expect(started.port).not.toBe(6379);
    const [bind, save, appendonly] = await askRedis(started.url, [
      ['CONFIG', 'GET', 'bind'],
      ['CONFIG', 'GET', 'save'],
      ['CONFIG', 'GET', 'appendonly'],
    ]);
    expect([bind, save, appendonly]).toEqual([
      ['bind', '127.0.0.1'],
      ['save', ''],
      ['appendonly', 'no'],
    ]);
  });

  test('a server named by an URL is used in an empty database, and what is in it stays', async () => {
    await askRedis(started.urlOf(0), [['SET', 'precious', '1']]);
    process.env[VARIABLE] = started.url;
    const log = keptLog();
    const given = await startRedis({ log, urlFrom: VARIABLE });
    await given.stop();
    expect(given).toMatchObject({ kind: 'url', url: started.urlOf(1) });
    expect(given.databases).not.toContain(0);
    expect(log.lines.join()).toContain('0 holds keys, so not that');
    expect(await askRedis(started.urlOf(0), [['GET', 'precious'], ['PING']])).toEqual(['1', 'PONG']);
  });

  test('tests, which empty databases, refuse a server with keys in any of them', async () => {
    await askRedis(started.urlOf(5), [['SET', 'precious', '1']]);
    process.env[VARIABLE] = started.urlOf(2);
    await expect(startRedis({ log: keptLog(), urlFrom: VARIABLE, wholeServer: true })).rejects.toThrow(
      /for themselves.*database (0, )?5/,
    );
  });

  test('under its usual name on the PATH it is found wherever it lies', () => {
    const binary = started.binary ?? '';
    process.env['PATH'] = putOnPath(binary, "/it's/a path");
    expect(execFileSync('redis-server', ['--version'], { encoding: 'utf8' })).toMatch(/v=\d/);
  });

  test('stopping it ends it', async () => {
    const second = await startRedis({ log: keptLog(), urlFrom: VARIABLE });
    await second.stop();
    await expect(checkServer(second.url)).rejects.toThrow('ECONNREFUSED');
    await second.stop();
  });
});

test('an URL at which nobody answers is an error, not a reason to start another server', async () => {
  process.env[VARIABLE] = 'redis://me:secret@127.0.0.1:1/0';
  await expect(startRedis({ log: keptLog(), urlFrom: VARIABLE })).rejects.toThrow(
    /redis:\/\/me:\*\*\*@127\.0\.0\.1:1\/0 can't be used: .*ECONNREFUSED/,
  );
});

test('where nothing works one error names every way with its reason, and one command', async () => {
  process.env['PATH'] = folder;
  process.env['CELERIAC_BOOTSTRAP_SKIP'] = 'deb,wheel,docker';
  const failure = await startRedis({ log: keptLog(), urlFrom: VARIABLE }).catch((error: unknown) => error as Error);
  expect(failure).toBeInstanceOf(Error);
  const { message } = failure as Error;
  expect(message).toContain('path: neither valkey-server nor redis-server is on the PATH');
  expect(message).toContain('cache: nothing fetched yet');
  expect(message).toContain('deb: skipped');
  expect(message).toContain('apt: not asked for');
  expect(message).toContain('sudo apt-get install -y redis-server');
});

test('a server program that fails at start gives its own last words as the reason', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'valkey-server'), '#!/bin/sh\necho "Fatal: no such luck" >&2\nexit 3\n', { mode: 0o755 });
  process.env['PATH'] = bin;
  process.env['CELERIAC_BOOTSTRAP_SKIP'] = 'cache,deb,wheel,apt,docker';
  await expect(startRedis({ log: keptLog(), urlFrom: VARIABLE })).rejects.toThrow('valkey-server: Fatal: no such luck');
});

test('a server that is too old is not used', async () => {
  const bin = join(folder, 'old');
  mkdirSync(bin);
  // As much of an old Redis as it takes to be asked for its version.
  const program = `require('net').createServer((s) => s.on('data', () => s.write('$21\\r\\nredis_version:6.0.16\\r\\n\\r\\n')))
    .listen(Number(process.argv[process.argv.indexOf('--port') + 1]), '127.0.0.1')`;
  writeFileSync(join(bin, 'server.cjs'), program);
  writeFileSync(
    join(bin, 'redis-server'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(bin, 'server.cjs')}' "$@"\n`,
    { mode: 0o755 },
  );
  process.env['PATH'] = bin;
  process.env['CELERIAC_BOOTSTRAP_SKIP'] = 'cache,deb,wheel,apt,docker';
  await expect(startRedis({ log: keptLog(), urlFrom: VARIABLE })).rejects.toThrow(
    'Redis 6.0.16 is too old: 6.2 or newer',
  );
});
