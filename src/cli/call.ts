/** `celeriac call`: sends a task by name and prints its id. Celery: celery/bin/call.py, 5.6.3. */
import { Command } from 'commander';
import { appOf } from './app-option.ts';
import { jsonDict, jsonList, moment, seconds, secondsOrMoment, wholeNumber } from './options.ts';
import { print, printJson } from './printing.ts';

interface CallFlags {
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;
  readonly eta?: Date;
  readonly countdown?: number;
  readonly expires?: number | Date;
  readonly serializer: string;
  readonly queue?: string;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly priority?: number;
  readonly json?: boolean;
}

export function callCommand(): Command {
  return new Command('call')
    .description('Send a task by name; prints its id.')
    .argument('<name>', 'the task')
    .option('-a, --args <json>', 'positional arguments, as a JSON list', jsonList, [])
    .option('-k, --kwargs <json>', 'keyword arguments, as a JSON object', jsonDict, {})
    .option('--eta <moment>', 'not before this moment (ISO 8601; without a time zone: UTC)', moment)
    .option('--countdown <seconds>', 'not before so many seconds have passed', seconds)
    .option('--expires <moment>', 'not after this moment, or so many seconds', secondsOrMoment)
    .option('--serializer <name>', 'how arguments are serialised', 'json')
    .option('--queue <name>', 'queue to send to')
    .option('--exchange <name>', 'exchange to publish through')
    .option('--routing-key <key>', 'routing key to publish with')
    .option('--priority <n>', 'priority, 0 to 9; 0 is served first', wholeNumber(0))
    .option('--json', 'print {"task_id": ...}')
    .addHelpText(
      'after',
      `\nExample:\n  $ celeriac -A ./tasks.mjs call tasks.add -a '[2, 2]' -k '{"z": 1}' --countdown 10\n`,
    )
    .action(async (name: string, flags: CallFlags, command: Command) => {
      const { app } = await appOf(command, {}, { isRequired: false });
      try {
        const { json, ...options } = flags;
        const { id } = await app.sendTask(name, options);
        if (json === true) printJson({ task_id: id });
        else print(id);
      } finally {
        await app.close();
      }
    });
}
