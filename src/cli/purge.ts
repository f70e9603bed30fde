/** `celeriac purge`: erases what waits in queues. Celery: celery/bin/purge.py, 5.6.3. */
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { purgeQueues } from '../broker/purge.ts';
import { appOf } from './app-option.ts';
import { withBroker } from './broker.ts';
import { CommandError, EX_FAILURE } from './exit-codes.ts';
import { list } from './options.ts';
import { pluralize, print, printJson } from './printing.ts';

interface PurgeFlags {
  readonly force?: boolean;
  readonly queues?: readonly string[];
  readonly excludeQueues?: readonly string[];
  readonly json?: boolean;
}

export function purgeCommand(): Command {
  return new Command('purge')
    .description('Erase all messages that wait in the queues of the app. There is no way back.')
    .option('-f, --force', 'do not ask')
    .option('-Q, --queues <names>', 'these queues, comma-separated', list)
    .option('-X, --exclude-queues <names>', 'all but these, comma-separated', list)
    .option('--json', 'print {"purged": ..., "queues": [...]}; needs -f')
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs purge -f -Q celery,mails\n')
    .action(async (flags: PurgeFlags, command: Command) => {
      const { app } = await appOf(command, {}, { isRequired: false });
      const configured = app.queues.select({ nodename: '' }).map(({ name }) => name);
      const excluded = new Set(flags.excludeQueues);
      const names = [...new Set(flags.queues ?? configured)].filter((name) => !excluded.has(name)).sort();
      if (names.length === 0) return;
      if (flags.force !== true) await confirm(names);
      const erased = await withBroker(app, 'write', (redis, settings) => purgeQueues(redis, settings, names));
      const queues = pluralize(names.length, 'queue');
      if (flags.json === true) printJson({ purged: erased, queues: names });
      else if (erased === 0) print(`No messages purged from ${names.length} ${queues}.`);
      else print(`Purged ${erased} ${pluralize(erased, 'message')} from ${names.length} known task ${queues}.`);
    });
}

/** Resolves when the user says yes; anything else, and the end of the input, is a no. */
async function confirm(names: readonly string[]): Promise<void> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  const aborted = new Promise<string>((resolve) => reader.once('close', () => resolve('')));
  try {
    const question =
      `WARNING: This will remove all tasks from ${pluralize(names.length, 'queue')}: ${names.join(', ')}.\n` +
      '         There is no undo for this operation!\n\n' +
      '(to skip this prompt use the -f option)\n' +
      'Are you sure you want to delete all tasks? [y/N]: ';
    const answer = await Promise.race([reader.question(question), aborted]);
    if (!/^y(es)?$/iu.test(answer.trim())) throw new CommandError(EX_FAILURE, 'Aborted!');
  } finally {
    reader.close();
  }
}
