/** `celeriac worker`: options as `celery worker` has them, signals, exit code. Celery: celery/bin/worker.py, 5.6.3. */
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import type { Settings } from '../config/config.ts';
import { createLogger, type LogLevel } from '../log.ts';
import { workerNodename } from '../protocol/nodename.ts';
import { Worker } from '../worker/worker.ts';
import { appOf } from './app-option.ts';
import { banner } from './banner.ts';
import { list, oneOf, wholeNumber } from './options.ts';

interface WorkerFlags {
  readonly hostname?: string;
  readonly queues?: readonly string[];
  readonly excludeQueues?: readonly string[];
  readonly concurrency?: number;
  readonly pool: 'async' | 'solo';
  readonly loglevel: LogLevel;
  readonly logfile?: string;
  readonly prefetchMultiplier?: number;
  readonly quiet?: boolean;
  readonly color: boolean;
}

const LEVELS = ['debug', 'info', 'warning', 'error', 'critical', 'fatal'] as const;
const DEFAULT_ASYNC_CONCURRENCY = 100;

export function workerCommand(): Command {
  return new Command('worker')
    .description('Start a worker that consumes tasks from its queues.')
    .option('-n, --hostname <name>', 'node name; %h host, %n name, %d domain (default: celery@%h)')
    .addOption(
      new Option('-Q, --queues <names>', 'consume these queues only, comma-separated')
        .argParser(list)
        .env('CELERY_WORKER_QUEUES'),
    )
    .addOption(
      new Option('-X, --exclude-queues <names>', 'consume all configured queues but these, comma-separated')
        .argParser(list)
        .env('CELERY_WORKER_EXCLUDE_QUEUES'),
    )
    .option(
      '-c, --concurrency <n>',
      `tasks at once (default: ${DEFAULT_ASYNC_CONCURRENCY} in pool async)`,
      wholeNumber(1),
    )
    .addOption(
      new Option('-P, --pool <name>', 'async: concurrent promises in this process; solo: one task at a time')
        .argParser(oneOf(['async', 'solo'], { eventlet: 'async', gevent: 'async' }))
        .default('async'),
    )
    .addOption(new Option('-l, --loglevel <level>', LEVELS.join(', ')).argParser(oneOf(LEVELS)).default('warning'))
    .option('-f, --logfile <path>', 'write the log to this file instead of the standard error')
    .option(
      '--prefetch-multiplier <n>',
      'messages held per slot, those that run included; 0: no limit (default: 4)',
      wholeNumber(0),
    )
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs worker -n w1@%h -Q celery,mails -c 50 -l info\n')
    .action(async (flags: WorkerFlags, command: Command) => run(flags, command));
}

async function run(flags: WorkerFlags, command: Command): Promise<void> {
  const { color, quiet } = command.optsWithGlobals<WorkerFlags>();
  const logger = createLogger({
    level: flags.loglevel,
    color,
    ...(flags.logfile === undefined ? {} : { file: flags.logfile }),
  });
  const cli: Settings = {
    ...(flags.concurrency === undefined ? {} : { worker_concurrency: flags.concurrency }),
    ...(flags.prefetchMultiplier === undefined ? {} : { worker_prefetch_multiplier: flags.prefetchMultiplier }),
  };
  const app = await appOf(command, cli, logger);
  const { config } = app;
  const nodename = workerNodename(flags.hostname ?? null, hostname());
  const concurrency = flags.pool === 'solo' ? 1 : (config.workerConcurrency ?? DEFAULT_ASYNC_CONCURRENCY);
  for (const name of flags.excludeQueues ?? []) {
    if (!app.queues.has(name)) logger.warn(`-X: there is no queue "${name}" to exclude`);
  }
  const queues = app.queues.select({ include: flags.queues, exclude: flags.excludeQueues, nodename });
  const worker = new Worker(app, {
    nodename,
    pool: flags.pool,
    concurrency,
    queues,
    prefetchMultiplier: config.workerPrefetchMultiplier,
  });
  const stopped = stopOnSignals(worker, flags.loglevel);
  if (quiet !== true) process.stdout.write(banner({ app, nodename, pool: flags.pool, concurrency, queues }));
  await worker.start();
  logger.info(`${nodename} ready.`);
  await stopped;
}

/** First TERM or INT: warm. QUIT, or a second INT: cold. Resolves, and ends the process, when the worker has stopped. */
function stopOnSignals(worker: Worker, _level: LogLevel): Promise<void> {
  return new Promise((resolve, reject) => {
    let interrupts = 0;
    const stop = (mode: 'warm' | 'cold'): void => {
      process.stderr.write(
        mode === 'warm' ? `\nworker: Warm shutdown (MainProcess)\n` : `\nworker: Cold shutdown (MainProcess)\n`,
      );
      worker.stop(mode).then(() => {
        resolve();
        process.exit(0);
      }, reject);
    };
    process.on('SIGTERM', () => stop('warm'));
    process.on('SIGINT', () => {
      interrupts += 1;
      if (interrupts === 1) stop('warm');
      else stop('cold');
    });
    process.on('SIGQUIT', () => stop('cold'));
  });
}
