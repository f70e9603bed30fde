import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { script } from '../../support/scripts.ts';

const { isInstalled, npmProblem } = await script('bootstrap/node-modules');
const { packagesToInstall } = await script('bootstrap/apt');
const { pipWheelIn } = await script('bootstrap/pip');
const { indexUrlIn, wheelLinks } = await script('bootstrap/pip-index');
const { withLock } = await script('bootstrap/lock');
const { run, which } = await script('bootstrap/run');

const folder = mkdtempSync(join(tmpdir(), 'celeriac-installing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('whether npm ci is needed', () => {
  const wanted = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0', optional: true },
    },
  };

  test('not when each package is there in its version', () => {
    expect(isInstalled(wanted, { packages: { 'node_modules/a': { version: '1.0.0' } } })).toBe(true);
  });
  test('when one is missing', () => {
    expect(isInstalled(wanted, { packages: {} })).toBe(false);
  });
  test('when one has another version, be it an optional one', () => {
    expect(isInstalled(wanted, { packages: { 'node_modules/a': { version: '1.0.1' } } })).toBe(false);
    expect(
      isInstalled(wanted, {
        packages: { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } },
      }),
    ).toBe(false);
  });
});

test('of an npm failure its reason is kept, not the manual page behind it', () => {
  const stderr =
    'npm warn EBADENGINE x\nnpm error code EUSAGE\nnpm error\nnpm error Missing: a@1 from lock file\nnpm error Clean install a project\nnpm error Usage:\n';
  expect(npmProblem(stderr)).toBe('code EUSAGE\nMissing: a@1 from lock file');
});

test('the packages that apt would install are read from its simulation', () => {
  const simulation =
    'Reading package lists...\nInst liblzf1 (3.6-3 Debian:12 [amd64])\nInst redis-server (5:7 Debian)\nConf liblzf1 (3.6-3)\n';
  expect(packagesToInstall(simulation)).toEqual(['liblzf1', 'redis-server']);
});

test('of several pip wheels the newest is taken, and nothing else for one', () => {
  for (const name of [
    'pip-9.0.1-py3-none-any.whl',
    'pip-23.0.1-py3-none-any.whl',
    'pipx-99-py3-none-any.whl',
    'pip-24.tar.gz',
  ]) {
    writeFileSync(join(folder, name), '');
  }
  expect(pipWheelIn(folder)).toBe(join(folder, 'pip-23.0.1-py3-none-any.whl'));
  expect(pipWheelIn(join(folder, 'nowhere'))).toBeUndefined();
});

describe('a package index', () => {
  test('is read from a pip configuration file', () => {
    expect(indexUrlIn('[global]\ntimeout = 3\nindex-url = https://pypi.example/simple\n')).toBe(
      'https://pypi.example/simple',
    );
    expect(indexUrlIn('[global]\nextra-index-url = https://other.example\n')).toBeUndefined();
  });

  test('gives the releases of pip that this Python can run', () => {
    const page = [
      '<a href="../../f/pip-23.0.1-py3-none-any.whl#sha256=' +
        'a'.repeat(64) +
        '" data-requires-python="&gt;=3.7">x</a>',
      '<a href="../../f/pip-26.0b1-py3-none-any.whl" data-requires-python="&gt;=3.9">x</a>',
      '<a href="../../f/pip-26.0-py3-none-any.whl" data-requires-python="&gt;=3.12">x</a>',
      '<a href="../../f/pip-26.0.tar.gz">x</a>',
    ].join('\n');
    expect(wheelLinks(page, '3.11.2')).toEqual([
      {
        href: `../../f/pip-23.0.1-py3-none-any.whl#sha256=${'a'.repeat(64)}`,
        sha256: 'a'.repeat(64),
        name: 'pip-23.0.1-py3-none-any.whl',
      },
    ]);
    expect(wheelLinks(page, '3.12.0').map(({ name }) => name)).toContain('pip-26.0-py3-none-any.whl');
  });
});

describe('a lock', () => {
  test('lets one in at a time', async () => {
    const path = join(folder, 'one.lock');
    let inside = 0;
    const most: number[] = [];
    const work = async (): Promise<void> => {
      inside += 1;
      most.push(inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all([withLock(path, work), withLock(path, work)]);
    expect(most).toEqual([1, 1]);
  });

  test('whose holder is gone is taken over', async () => {
    const path = join(folder, 'stale.lock');
    const { stdout } = await run(process.execPath, ['-p', 'process.pid']);
    writeFileSync(path, stdout.trim());
    await expect(withLock(path, async () => 'done')).resolves.toBe('done');
  });

  test('is given back when the work fails', async () => {
    const path = join(folder, 'failed.lock');
    await expect(withLock(path, async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(withLock(path, async () => 'again')).resolves.toBe('again');
  });
});

describe('running a command', () => {
  test('gives its last line as the reason of a failure', async () => {
    await expect(run('sh', ['-c', 'echo first >&2; echo last >&2; exit 2'])).rejects.toThrow(/^last$/);
  });
  test('ends it and its children when its time is up', async () => {
    await expect(run('sh', ['-c', 'sleep 30 & wait'], { limitMs: 100 })).rejects.toThrow('took longer than');
  });
  test('says which program is missing', async () => {
    await expect(run('celeriac-no-such-program', [])).rejects.toThrow('celeriac-no-such-program');
  });
  test('which() finds programs, not folders', () => {
    expect(which('sh')).toMatch(/\/sh$/);
    expect(which('/tmp')).toBeUndefined();
  });
});
