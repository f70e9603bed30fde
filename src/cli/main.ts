#!/usr/bin/env node
/** The `celeriac` command: global options, and one file per sub-command. */
import { Command } from 'commander';
import { CeleriacError } from '../errors.ts';
import { workerCommand } from './worker.ts';
import { packageVersion } from './version.ts';

/** Celery's codes: 0 done, 1 failed, 2 usage. */
const FAILED = 1;
const USAGE = 2;

export function createProgram(): Command {
  const program = new Command('celeriac')
    .description('Celery tasks in Node.js: worker, client and tools that share a Redis with Python.')
    .option(
      '-A, --app <module>',
      'module of your app: a path or a package, with :export where it is not "app"',
      process.env['CELERY_APP'],
    )
    .option('-b, --broker <url>', 'URL of the broker (redis://, rediss://, redis+socket://, sentinel://)')
    .option('--result-backend <url>', 'URL of the result backend')
    .option('--workdir <dir>', 'change to this directory first')
    .option('-q, --quiet', 'print less')
    .option('-C, --no-color', 'no colours')
    .version(packageVersion(), '--version')
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs worker -l info -Q celery,mails -c 50\n')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : USAGE));
  // A command made elsewhere does not inherit by itself: its usage errors would exit with 1.
  return program.addCommand(workerCommand().copyInheritedSettings(program));
}

try {
  await createProgram().parseAsync();
} catch (error) {
  // What the user can mend needs no stack.
  const text =
    error instanceof CeleriacError
      ? `Error: ${error.message}`
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(FAILED);
}
