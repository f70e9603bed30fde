/** The life of `celeriac worker` as a process: from its options to its exit code. Celery: celery/bin/worker.py, 5.6.3. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { purgeQueues } from '../broker/purge.ts';
import type { QueueDeclaration } from '../broker/queue.ts';
import type { Celeriac } from '../client/app.ts';
import type { Config } from '../config/config.ts';
import { isGiven } from '../config/config.ts';
import { createLogger, sentences, type LogMethod, type Logger, type RootLogger } from '../log.ts';
import { nodeFormat, workerNodename } from '../protocol/nodename.ts';
import { StateDb } from '../worker/state-db.ts';
import { Worker } from '../worker/worker.ts';
import { appOf, loadIncludes, type GlobalOptions } from './app-option.ts';
import { banner } from './banner.ts';
import { withBroker } from './broker.ts';
import { detach } from './detach.ts';
import { CommandError, EX_FAILURE, EX_OK, EX_USAGE } from './exit-codes.ts';
import { setUpLogging } from './logging-signals.ts';
import { umask } from './options.ts';
import { acquirePidfile } from './pidfile.ts';
import { pluralize } from './printing.ts';
import { becomeUser } from './privileges.ts';
import { keepOriginals, redirectToLog, type Originals } from './redirect.ts';
import { directoryOf, RELOADED, runReloading } from './reload.ts';
import { stopOnSignals } from './shutdown.ts';
import { guardStrayErrors } from './stray-errors.ts';
import { poolOf, settingsOf, type PoolName, type SettingFlags } from './worker-settings.ts';

export const LEVELS = ['debug', 'info', 'warning', 'error', 'critical', 'fatal'] as const;

export interface WorkerFlags extends SettingFlags {
  readonly hostname?: string;
  readonly queues?: readonly string[];
  readonly excludeQueues?: readonly string[];
  readonly loglevel: (typeof LEVELS)[number];
  readonly purge?: boolean;
  readonly discard?: boolean;
  readonly include?: readonly string[];
  readonly detach?: boolean;
  readonly reload?: boolean;
  readonly beat?: boolean;
}

const DEFAULT_ASYNC_CONCURRENCY = 100;
const METHODS: Readonly<Record<string, LogMethod>> = { WARNING: 'warn', FATAL: 'critical' };

export async function runWorker(extra: readonly string[], _parsed: WorkerFlags, command: Command): Promise<void> {
  // Read here, since variables filled in options after they were parsed.
  const flags = command.optsWithGlobals<WorkerFlags & GlobalOptions>();
  if (flags.beat === true) {
    throw new CommandError(EX_FAILURE, 'Error: -B: celeriac has no beat yet; run Celery beat beside this worker');
  }
  const originals = keepOriginals();
  const { app, file } = await appOf(command, settingsOf(flags, extra));
  const { config } = app;
  const pool = poolOf(config.workerPool);
  const nodename = workerNodename(flags.hostname ?? null, hostname());
  const at = (path: string | null): string | undefined => (path === null ? undefined : nodeFormat(path, nodename));
  const logfile = at(config.workerLogfile);
  const pidfile = at(config.workerPidfile);

  if (flags.detach === true) {
    if (flags.reload === true) throw new CommandError(EX_USAGE, 'error: --reload and --detach exclude each other');
    await detach({ logfile, pidfile, executable: config.workerExecutable ?? undefined });
    process.exit(EX_OK);
  }
  if (flags.reload === true && process.env[RELOADED] === undefined) {
    const directories = file === null ? [process.cwd()] : [directoryOf(file)];
    process.exit(await runReloading({ directories, say: (sentence) => originals.stdout(`${sentence}\n`) }));
  }

  becomeUser({
    uid: config.workerUid ?? undefined,
    gid: config.workerGid ?? undefined,
    umask: config.workerUmask === null ? undefined : umask(config.workerUmask),
  });
  const lock = pidfile === undefined ? null : acquirePidfile(pidfile);
  process.on('exit', () => lock?.release());
  const logger = await setUpLogging(
    {
      loglevel: flags.loglevel,
      logfile: logfile ?? null,
      format: config.workerLogFormat,
      colorize: flags.color && config.workerLogColor !== false,
    },
    () => createWorkerLogger(config, flags, logfile, originals),
  );
  app.configure({ logger });
  await loadIncludes(app, flags.include);
  await serve({ app, flags, pool, nodename, logger, originals });
}

interface Serving {
  readonly app: Celeriac;
  readonly flags: WorkerFlags & GlobalOptions;
  readonly pool: PoolName;
  readonly nodename: string;
  readonly logger: RootLogger;
  readonly originals: Originals;
}

async function serve({ app, flags, pool, nodename, logger, originals }: Serving): Promise<void> {
  const { config } = app;
  const concurrency = pool === 'solo' ? 1 : (config.workerConcurrency ?? DEFAULT_ASYNC_CONCURRENCY);
  const queues = selectQueues(app, flags, nodename, logger);
  const worker = new Worker(app, {
    nodename,
    pool,
    concurrency,
    queues,
    // A slot's one message is the one it runs.
    prefetchMultiplier: config.workerDisablePrefetch ? 1 : config.workerPrefetchMultiplier,
  });
  const stateDb =
    config.workerStateDb === null
      ? null
      : new StateDb(nodeFormat(config.workerStateDb, nodename), worker.state.revoked, logger);
  guardStrayErrors(logger);
  const { failed } = stopOnSignals({
    worker,
    softTimeoutSeconds: config.workerSoftShutdownTimeout,
    say: (sentence) => originals.stdout(`\n${sentence}\n`),
    exit: (code) => {
      stateDb?.stop();
      void logger.close().finally(() => process.exit(code));
    },
    env: process.env,
    signals: process,
  });
  stopWithParent();
  if (flags.purge === true || flags.discard === true) await purge(app, queues, originals);
  if (flags.quiet !== true) {
    const tasks = logger.isEnabled('debug') ? 'all' : logger.isEnabled('info') ? 'own' : 'none';
    originals.stdout(`${banner({ app, nodename, pool, concurrency, queues, tasks })}\n`);
  }
  warn(app, logger);
  const undoRedirect = config.workerRedirectStdouts
    ? redirectToLog(logger, methodOf(config.workerRedirectStdoutsLevel))
    : () => undefined;
  stateDb?.start();
  try {
    await worker.start();
    logger.info(sentences.ready(nodename));
    await Promise.race([failed, rejectedBy(worker.failure)]);
  } catch (error) {
    // Stopped while it started: the stop ends the process.
    if (worker.isStopping) await failed;
    stateDb?.stop();
    undoRedirect();
    await logger.close();
    throw error;
  }
}

async function rejectedBy(failure: Promise<Error>): Promise<never> {
  throw await failure;
}

function createWorkerLogger(
  config: Config,
  flags: WorkerFlags & GlobalOptions,
  file: string | undefined,
  originals: Originals,
): RootLogger {
  return createLogger({
    level: flags.loglevel,
    ...(config.celeriacTaskLogLevel === null ? {} : { taskLevel: config.celeriacTaskLogLevel }),
    format: config.workerLogFormat,
    taskFormat: config.workerTaskLogFormat,
    color: flags.color && config.workerLogColor !== false,
    ...(file === undefined ? { stream: originals.stderr } : { file }),
  });
}

function selectQueues(
  app: Celeriac,
  { queues, excludeQueues = [] }: WorkerFlags,
  nodename: string,
  logger: Logger,
): QueueDeclaration[] {
  for (const name of excludeQueues) {
    if (!app.queues.has(name)) logger.warn(`-X: there is no queue "${name}" to exclude`);
  }
  return app.queues.select({ include: queues, exclude: excludeQueues, nodename });
}

/** What was asked for and is not to be had, and what is odd about the settings. */
function warn({ config }: Celeriac, logger: Logger): void {
  for (const warning of config.warnings) logger.warn(warning);
  for (const name of ['worker_max_tasks_per_child', 'worker_max_memory_per_child'] as const) {
    if (isGiven(config, name)) logger.warn(`${name} has no effect: this pool has no child processes to replace`);
  }
  if (config.workerSendTaskEvents) logger.warn('-E, worker_send_task_events: celeriac sends no task events yet');
}

async function purge(app: Celeriac, queues: readonly QueueDeclaration[], originals: Originals): Promise<void> {
  const names = queues.map(({ name }) => name);
  const erased = await withBroker(app, 'write', (redis, settings) => purgeQueues(redis, settings, names));
  if (erased > 0) originals.stdout(`purge: Erased ${erased} ${pluralize(erased, 'message')} from the queue.\n\n`);
}

function methodOf(level: string): LogMethod {
  const upper = level.toUpperCase();
  const method = METHODS[upper] ?? (upper.toLowerCase() as LogMethod);
  if (['debug', 'info', 'warn', 'error', 'critical'].includes(method)) return method;
  throw new CommandError(EX_FAILURE, `Error: worker_redirect_stdouts_level: unknown log level "${level}"`);
}

/** Under --reload the channel closes when the process that restarts this one has died. */
function stopWithParent(): void {
  if (process.env[RELOADED] === undefined || process.channel === undefined) return;
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
