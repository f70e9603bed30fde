/**
 * docker-compose.yml without Docker: its Redis is started with its own arguments, its worker by its own command. What the
 * images contain is read from the Dockerfiles; nobody builds them here.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Celeriac } from '../../src/client/app.ts';
import { resolveConfig } from '../../src/config/config.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { startServer, type TestServer } from '../support/redis.ts';
import { until } from '../support/until.ts';

interface Service {
  readonly build?: string | { readonly context: string; readonly dockerfile: string };
  readonly image?: string;
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
}

const root = join(import.meta.dirname, '..', '..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

/** Compose's own rules: ${NAME:?complaint} and ${NAME:-default}. */
function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{(\w+):([?-])([^}]*)\}/g,
    (_all, name: string, kind: string, rest: string) => variables[name] ?? (kind === '-' ? rest : fail(rest)),
  );
}

function fail(message: string): never {
  throw new Error(message);
}

const password = 'anyletters0';
const compose = parse(interpolate(read('docker-compose.yml'), { REDIS_PASSWORD: password }), { merge: true }) as {
  readonly services: Readonly<Record<'redis' | 'worker' | 'flower' | 'producer', Service>>;
};
const { redis, worker, flower, producer } = compose.services;

function words(command: Service['command']): string[] {
  if (typeof command !== 'string') return [...(command ?? [])];
  // Compose would take quotes apart; there are none to take apart.
  expect(command).not.toMatch(/["'\\$]/);
  return command.split(' ');
}

describe('what stands in the files', () => {
  test('there is no way in without a password of the user', () => {
    expect(() => interpolate(read('docker-compose.yml'), {})).toThrow(/set REDIS_PASSWORD/);
    for (const port of [redis, flower].flatMap((service) => service.ports ?? []))
      expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('each build has its file, and each file copies what there is', () => {
    const files = [worker, flower, producer].map(({ build }) =>
      typeof build === 'string' ? 'Dockerfile' : (build?.dockerfile ?? fail('a service without an image')),
    );
    expect([...new Set(files)]).toEqual(['Dockerfile', 'flower.Dockerfile']);
    const ignored = new Set(read('.dockerignore').split('\n'));
    for (const file of new Set(files)) {
      const copied = [...read(file).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
        ([, from]) => from?.split(' ') ?? [],
      );
      expect(copied).not.toHaveLength(0);
      for (const path of copied) {
        expect([path, existsSync(join(root, path))]).toEqual([path, true]);
        expect(ignored).not.toContain(path.split('/')[0]);
      }
    }
  });

  test('Flower and the producer have the pinned versions the tests run with', () => {
    expect(read('flower.Dockerfile')).toContain('-r scripts/python/requirements.txt');
    expect(read('scripts/python/requirements.txt')).toMatch(/^flower==\d/m);
    const [python, script] = words(producer.command);
    expect([python, existsSync(join(root, script ?? ''))]).toEqual(['python', true]);
  });

  test('the variables mean something to celeriac', () => {
    const config = resolveConfig({ env: worker.environment });
    expect(config.warnings).toEqual([]);
    expect(config.brokerUrl).toBe(`redis://:${password}@redis:6379/0`);
    expect(config.resultBackend).toBe(`redis://:${password}@redis:6379/1`);
    expect(flower.environment).toEqual(producer.environment);
  });
});

describe('running', () => {
  let server: TestServer;
  let admin: RedisPort;
  let child: ChildProcess;
  let exited: Promise<unknown[]>;
  let output = '';
  const local = (url: string | undefined): string => (url ?? '').replace('@redis:6379', `@127.0.0.1:${server.port}`);

  beforeAll(async () => {
    const [program, ...args] = words(redis.command);
    expect(program).toBe('redis-server');
    server = await startServer(args);
    admin = testPort(local(worker.environment?.['CELERY_BROKER_URL']));
    const [command = '', ...rest] = words(worker.command);
    const env = {
      ...process.env,
      ...worker.environment,
      CELERY_BROKER_URL: local(worker.environment?.['CELERY_BROKER_URL']),
      CELERY_RESULT_BACKEND: local(worker.environment?.['CELERY_RESULT_BACKEND']),
    };
    // A group of its own, so that nothing of it outlives a failed test.
    child = spawn(command, rest, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    exited = once(child, 'exit');
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(
      'the worker is ready',
      () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output}`);
        return / ready\./.test(output);
      },
      30_000,
    );
  }, 60_000);
  afterAll(async () => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // Nothing of it is left, as it should be.
    }
    await admin.close();
    await server.stop();
  });

  test('Redis wants the password, persists, and refuses rather than evicts', async () => {
    const stranger = testPort(`${server.url}/0`);
    await expect(stranger.command('PING')).rejects.toThrow(/NOAUTH|password/i);
    stranger.destroy();
    expect(await admin.command('CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await admin.command('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'yes']);
  });

  test('the worker answers', async () => {
    const app = new Celeriac('compose', {
      brokerUrl: local(worker.environment?.['CELERY_BROKER_URL']),
      resultBackend: local(worker.environment?.['CELERY_RESULT_BACKEND']),
    });
    try {
      expect(await (await app.sendTask('tasks.add', { args: [2, 2] })).get({ timeout: 10 })).toBe(4);
    } finally {
      await app.close();
    }
  });

  test('TERM, as docker stop sends it to the command, ends the worker warm and leaves none of its connections', async () => {
    child.kill('SIGTERM');
    const [code] = await exited;
    expect([code, output]).toEqual([0, expect.stringContaining('Warm shutdown')]);
    await until('its connections are gone', async () => {
      const clients = String(await admin.command('CLIENT', 'LIST'));
      return clients.trim().split('\n').length === 1;
    });
  });
});
