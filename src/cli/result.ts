/** `celeriac result`: waits for a task and prints what it returned. Celery: celery/bin/result.py, 5.6.3. */
import { Command } from 'commander';
import { TaskError } from '../protocol/exceptions.ts';
import { appOf } from './app-option.ts';
import { CommandError, EX_FAILURE } from './exit-codes.ts';
import { seconds } from './options.ts';
import { printJson, printValue } from './printing.ts';

interface ResultFlags {
  readonly task?: string;
  readonly traceback?: boolean;
  readonly timeout?: number;
  readonly json?: boolean;
}

export function resultCommand(): Command {
  return new Command('result')
    .description('Wait for a task and print its result; ends with 1 when the task failed.')
    .argument('<task-id>', 'what call printed')
    .option('-t, --task <name>', 'the task, which must be registered')
    .option('--traceback', 'print the traceback instead, as it is now')
    .option('--timeout <seconds>', 'give up after so many seconds (default: wait for ever)', seconds)
    .option('--json', 'print what is stored now, as JSON, without waiting')
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs result 4f1b4c4e-06d5-4d59-9b07-a1a1b3b4f1a5\n')
    .action(async (id: string, flags: ResultFlags, command: Command) => {
      const { app } = await appOf(command, {}, { isRequired: false });
      try {
        if (flags.task !== undefined) app.registry.get(flags.task);
        const result = app.asyncResult(id);
        if (flags.json === true) printJson(await result.meta());
        else if (flags.traceback === true) printValue(await result.traceback());
        else printValue(await result.get(flags.timeout === undefined ? {} : { timeout: flags.timeout }));
      } catch (error) {
        if (!(error instanceof TaskError)) throw error;
        throw new CommandError(EX_FAILURE, error.traceback ?? `${error.excType}: ${error.message}`, { cause: error });
      } finally {
        await app.close();
      }
    });
}
