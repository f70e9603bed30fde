/** What the options of `celeriac worker` mean as settings, and what they ask that cannot be had. */
import type { Settings } from '../config/config.ts';
import { SETTINGS, SETTING_NAMES, type Row } from '../config/table.ts';
import { nearestName } from '../util/nearest.ts';
import { CommandError, EX_FAILURE, EX_USAGE } from './exit-codes.ts';

export interface SettingFlags {
  readonly concurrency?: number;
  readonly pool?: string;
  readonly prefetchMultiplier?: number;
  readonly disablePrefetch?: boolean;
  readonly taskEvents?: boolean;
  readonly events?: boolean;
  readonly timeLimit?: number;
  readonly softTimeLimit?: number;
  readonly maxTasksPerChild?: number;
  readonly maxMemoryPerChild?: number;
  readonly statedb?: string;
  readonly logFormat?: string;
  readonly logfile?: string;
  readonly pidfile?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly umask?: number;
  readonly executable?: string;
}

/** @param given - `task_acks_late=true`, `prefetch_multiplier=2`. @throws CommandError (usage) for an unknown name. */
export function settingsOf(flags: SettingFlags, given: readonly string[]): Settings {
  const settings: Settings = {
    worker_concurrency: flags.concurrency,
    worker_pool: flags.pool,
    worker_prefetch_multiplier: flags.prefetchMultiplier,
    worker_disable_prefetch: flags.disablePrefetch,
    worker_send_task_events: flags.taskEvents ?? flags.events,
    task_time_limit: flags.timeLimit,
    task_soft_time_limit: flags.softTimeLimit,
    worker_max_tasks_per_child: flags.maxTasksPerChild,
    worker_max_memory_per_child: flags.maxMemoryPerChild,
    worker_state_db: flags.statedb,
    worker_log_format: flags.logFormat,
    worker_logfile: flags.logfile,
    worker_pidfile: flags.pidfile,
    worker_uid: flags.uid,
    worker_gid: flags.gid,
    worker_umask: flags.umask === undefined ? undefined : `0${flags.umask.toString(8)}`,
    worker_executable: flags.executable,
  };
  return { ...settings, ...Object.fromEntries(given.map(readSetting)) };
}

/** Celery: config_from_cmdline, namespace worker. */
function readSetting(text: string): [string, unknown] {
  const at = text.indexOf('=');
  const key = text.slice(0, at).replaceAll('.', '_');
  if (at < 1) throw new CommandError(EX_USAGE, `error: "${text}" is no setting; write name=value`);
  const name = SETTING_NAMES.find((known) => known === key) ?? SETTING_NAMES.find((known) => known === `worker_${key}`);
  if (name === undefined) {
    const nearest = nearestName(key, SETTING_NAMES);
    throw new CommandError(
      EX_USAGE,
      `error: unknown setting "${key}"${nearest === null ? ', docs/settings.md lists them' : `, did you mean "${nearest}"?`}`,
    );
  }
  const { kind }: Row<unknown> = SETTINGS[name];
  return [name, kind.fromText(text.slice(at + 1))];
}

export type PoolName = 'async' | 'solo';

/** Celery's other in-process pools are what `async` is for. */
const POOLS: Readonly<Record<string, PoolName>> = { async: 'async', solo: 'solo', eventlet: 'async', gevent: 'async' };

/** @throws CommandError for a pool there is not. */
export function poolOf(setting: string | null): PoolName {
  if (setting === null) return 'async';
  const pool = POOLS[setting.toLowerCase()];
  if (pool !== undefined) return pool;
  const isPlanned = /^(prefork|processes|threads)$/iu.test(setting);
  throw new CommandError(
    isPlanned ? EX_FAILURE : EX_USAGE,
    isPlanned
      ? `Error: the pool "${setting}" (-P, worker_pool) is not there yet; use async or solo`
      : `error: unknown pool "${setting}" (-P, worker_pool); known: async, solo`,
  );
}
