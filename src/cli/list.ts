/** `celeriac list bindings`: which queues hang on which exchanges. Celery: celery/bin/list.py, 5.6.3. */
import { Command } from 'commander';
import { Bindings, parseBinding } from '../broker/bindings.ts';
import { appOf } from './app-option.ts';
import { withBroker } from './broker.ts';
import { print, printJson } from './printing.ts';

interface Row {
  readonly queue: string;
  readonly exchange: string;
  readonly routing_key: string;
}

export function listCommand(): Command {
  const bindings = new Command('bindings')
    .description('The bindings of the exchanges of the app, also those of other members.')
    .option('--json', 'print a list of {"queue", "exchange", "routing_key"}')
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs list bindings\n')
    .action(async ({ json }: { readonly json?: boolean }, command: Command) => {
      const rows = await readBindings(command);
      if (json === true) {
        printJson(rows);
        return;
      }
      const line = (...cells: readonly [string, string, string]): void =>
        print(`${cells[0].padEnd(28)} ${cells[1].padEnd(28)} ${cells[2]}`);
      line('Queue', 'Exchange', 'Routing Key');
      line('-'.repeat(16), '-'.repeat(16), '-'.repeat(16));
      for (const row of rows) line(row.queue, row.exchange, row.routing_key);
    });
  return new Command('list').description('Information from the broker.').addCommand(bindings);
}

async function readBindings(command: Command): Promise<Row[]> {
  const { app } = await appOf(command, {}, { isRequired: false });
  const queues = app.queues.select({ nodename: '' });
  return withBroker(app, 'read', async (redis, { keys }) => {
    // As Celery: what the app consumes is declared first, so it is there.
    const known = new Bindings(redis, keys, app.queues.exchangeTypes);
    for (const queue of queues) if (queue.isBroadcast !== true) await known.declare(queue);
    const rows: Row[] = [];
    for (const exchange of app.queues.exchangeTypes.keys()) {
      const members = (await redis.command('SMEMBERS', keys.binding(exchange))) as string[];
      for (const member of members.sort()) {
        const binding = parseBinding(keys, member);
        if (binding !== undefined) rows.push({ queue: binding.queue, exchange, routing_key: binding.routingKey });
      }
    }
    return rows;
  });
}
