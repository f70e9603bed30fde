/** `celeriac worker`: its options, as `celery worker` has them. Celery: celery/bin/worker.py and base.py, 5.6.3. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { LEVELS, runWorker, type WorkerFlags } from './run-worker.ts';
import { list, oneOf, seconds, umask, wholeNumber } from './options.ts';

export function workerCommand(): Command {
  const command = new Command('worker')
    .description('Start a worker that consumes tasks from its queues.')
    .argument('[settings...]', 'further settings: task_acks_late=true; without a known name worker_ is put before')
    .addHelpText(
      'after',
      '\nTERM or Ctrl+C: finish what runs, put the rest back. Ctrl+C again, or QUIT: put back what runs too where it' +
        '\nacknowledges late. Each option is also read from CELERY_WORKER_<OPTION>.' +
        '\n\nExamples:\n  $ celeriac -A ./tasks.mjs worker -n w1@%h -Q celery,mails -c 50 -l info' +
        '\n  $ celeriac -A ./tasks.mjs worker --detach --pidfile /run/%n.pid -f /var/log/%n.log\n',
    )
    .action(async (settings: string[], flags: WorkerFlags, self: Command) => runWorker(settings, flags, self));
  for (const [heading, options] of groups()) {
    command.optionsGroup(heading);
    for (const option of options) command.addOption(option);
  }
  return command;
}

function groups(): readonly (readonly [heading: string, options: readonly Option[]])[] {
  return [
    [
      'Worker Options:',
      [
        new Option('-n, --hostname <name>', 'node name; %h host, %n name, %d domain (default: celery@%h)'),
        new Option('-D, --detach', 'go on as a process of its own, in the background'),
        new Option('-S, --statedb <path>', 'keep revoked ids in this file (JSON), over restarts'),
        new Option('-l, --loglevel <level>', LEVELS.join(', ')).argParser(oneOf(LEVELS)).default('warning'),
        new Option('-O, --optimization <profile>', 'accepted; tasks always go to a free slot').argParser(
          oneOf(['default', 'fair']),
        ),
        new Option(
          '--prefetch-multiplier <n>',
          'messages held per slot, those that run included; 0: no limit',
        ).argParser(wholeNumber(0)),
        new Option('--disable-prefetch', 'take a message only when a slot is free'),
        new Option('--reload', 'for development: restart when a file of the app changes'),
      ],
    ],
    [
      'Pool Options:',
      [
        new Option('-c, --concurrency <n>', 'tasks at once (default: 100 in pool async)').argParser(wholeNumber(1)),
        new Option(
          '-P, --pool <name>',
          'async (default): concurrent promises in this process; solo: one task at a time',
        ),
        new Option('-E, --task-events', 'send task events (not yet there: says so)'),
        new Option('--events', 'the same').hideHelp(),
        new Option('--time-limit <seconds>', 'hard time limit of tasks without one').argParser(seconds),
        new Option('--soft-time-limit <seconds>', 'soft time limit of tasks without one').argParser(seconds),
        new Option('--max-tasks-per-child <n>', 'no effect without child processes: says so').argParser(wholeNumber(1)),
        new Option('--max-memory-per-child <kib>', 'no effect without child processes: says so').argParser(
          wholeNumber(1),
        ),
      ],
    ],
    [
      'Queue Options:',
      [
        new Option('-Q, --queues <names>', 'consume these queues only, comma-separated').argParser(list),
        new Option(
          '-X, --exclude-queues <names>',
          'consume all configured queues but these, comma-separated',
        ).argParser(list),
        new Option('--purge', 'erase what waits in the queues first, without asking'),
        new Option('--discard', 'the same').hideHelp(),
        new Option('-I, --include <modules>', 'further modules with tasks, comma-separated').argParser(list),
      ],
    ],
    [
      'Features:',
      [
        new Option('--without-gossip', 'accepted; there is no gossip yet'),
        new Option('--without-mingle', 'accepted; there is no mingle yet'),
        new Option('--without-heartbeat', 'accepted; there are no event heartbeats yet'),
        new Option('--heartbeat-interval <seconds>', 'accepted; there are no event heartbeats yet').argParser(seconds),
        new Option('--autoscale <max,min>', 'not there yet: refused').argParser(
          notYet('it comes with process pools; use -c'),
        ),
        new Option('-B, --beat', 'not there yet: refused'),
        new Option('-s, --schedule-filename <path>', 'of --beat: refused').argParser(notYet('it belongs to --beat')),
        new Option('--schedule <path>', 'of --beat: refused').hideHelp().argParser(notYet('it belongs to --beat')),
        new Option('--scheduler <name>', 'of --beat: refused').argParser(notYet('it belongs to --beat')),
        new Option('--health-port <port>', 'not there yet: refused').argParser(
          notYet('there is no health endpoint yet'),
        ),
        new Option('--metrics-port <port>', 'not there yet: refused').argParser(notYet('there are no metrics yet')),
      ],
    ],
    [
      'Daemonization Options:',
      [
        new Option('-f, --logfile <path>', 'append the log to this file instead of the standard error; %n, %h ...'),
        new Option('--log-format <format>', "json, or a format in Python's %-style (worker_log_format)"),
        new Option('--pidfile <path>', 'write the pid here; refuses to start while its process lives; %n, %h ...'),
        new Option('--uid <user>', 'become this user'),
        new Option('--gid <group>', 'become this group'),
        new Option('--umask <mask>', 'of files it makes; octal with a leading 0').argParser(umask),
        new Option('--executable <path>', 'Node.js to start with --detach'),
      ],
    ],
  ];
}

/** What is known and not built is refused, never ignored. */
function notYet(reason: string): (text: string) => never {
  return () => {
    throw new InvalidArgumentError(`celeriac cannot do that yet: ${reason}.`);
  };
}
