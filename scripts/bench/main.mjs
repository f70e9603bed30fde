#!/usr/bin/env node
/**
 * Usage: npm run bench -- [--quick] [--only A,B] [--rounds N] [--tasks N] [--full] [--kinds]   (all of it: --help)
 *
 * Only what a fresh checkout can run: packages first, then the bench itself, which needs them.
 */
import '../bootstrap/node-version.mjs';
import { log } from '../bootstrap/log.mjs';
import { ensureNodeModules } from '../bootstrap/node-modules.mjs';

try {
  await ensureNodeModules({ log });
  const { main } = await import('./bench.mjs');
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error.name === 'BootstrapError' ? error.message : error);
  process.exitCode = 1;
}
