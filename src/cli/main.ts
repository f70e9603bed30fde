#!/usr/bin/env node
/** The `celeriac` command: global options, and one file per sub-command. */
import { Command } from 'commander';
import { CeleriacError } from '../errors.ts';
import { callCommand } from './call.ts';
import { CommandError, EX_FAILURE, EX_OK, EX_USAGE } from './exit-codes.ts';
import { listCommand } from './list.ts';
import { purgeCommand } from './purge.ts';
import { reportCommand } from './report.ts';
import { resultCommand } from './result.ts';
import { readVariables } from './variables.ts';
import { packageVersion } from './version.ts';
import { workerCommand } from './worker.ts';

export function createProgram(): Command {
  const program = new Command('celeriac')
    .description('Celery tasks in Node.js: worker, client and tools that share a Redis with Python.')
    .option('-A, --app <module>', 'module of your app: a path or a package, with :export where it is not "app"')
    .option('-b, --broker <url>', 'URL of the broker (redis://, rediss://, redis+socket://, sentinel://)')
    .option('--result-backend <url>', 'URL of the result backend')
    .option('--config <module>', 'settings: a path (JSON, YAML, JavaScript) or a package')
    .option('--workdir <dir>', 'change to this directory first')
    .option('-q, --quiet', 'print less')
    .option('-C, --no-color', 'no colours')
    .option('--skip-checks', "for Celery's sake; there are no checks to skip")
    .version(packageVersion(), '--version')
    .addHelpText(
      'after',
      '\nOptions before the command are global; each is also read from the environment: CELERY_APP, BROKER_URL,' +
        '\nRESULT_BACKEND, CONFIG_MODULE, CELERY_WORKDIR, NO_COLOR; those of a command as CELERY_WORKER_QUEUES.' +
        '\n\nExample:\n  $ celeriac -A ./tasks.mjs worker -l info -Q celery,mails -c 50\n',
    )
    .hook('preAction', (global, command) => {
      readVariables(global);
      for (let at: Command | null = command; at !== null && at !== global; at = at.parent) readVariables(at);
    });
  for (const command of [
    workerCommand(),
    callCommand(),
    resultCommand(),
    purgeCommand(),
    listCommand(),
    reportCommand(),
  ]) {
    program.addCommand(command);
  }
  endWithCelerysCodes(program);
  return program;
}

function endWithCelerysCodes(command: Command): void {
  // As in Celery no command at all is a question, not a mistake.
  const isQuestion = command.parent === null;
  command.configureOutput({
    writeErr: (text) => (isQuestion && text.startsWith('Usage:') ? process.stdout : process.stderr).write(text),
  });
  command.exitOverride((error) => {
    if (/'(-A|--app)'/u.test(error.message)) {
      process.stderr.write(`-A is a global option: celeriac -A <module> ${command.name()} ...\n`);
    }
    const isDone = error.exitCode === 0 || (isQuestion && error.code === 'commander.help');
    process.exit(isDone ? EX_OK : EX_USAGE);
  });
  for (const child of command.commands) endWithCelerysCodes(child);
}

try {
  await createProgram().parseAsync();
} catch (error) {
  // What the user can mend needs no stack.
  const text =
    error instanceof CommandError
      ? error.message
      : error instanceof CeleriacError
        ? `Error: ${error.message}`
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof CommandError ? error.exitCode : EX_FAILURE);
}
