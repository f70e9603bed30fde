/**
 * Task options: Celery's task attributes in camelCase, checked when the task is registered. Counterpart: the class
 * attributes of celery/app/task.py (5.6.3). Options that Celery reads from the app's settings stay undefined here when
 * a task does not set them (`from_config` there): the worker and the client fall back to the setting.
 */
import { ConfigError } from '../errors.ts';
import { nearestName } from '../util/nearest.ts';
import { type TaskContext } from './context.ts';
import { type ErrorKind } from './failure.ts';
import { isStandardSchema, type StandardSchema } from './standard-schema.ts';

/** Called around a task's run with its context; a hook may be asynchronous. */
export interface TaskHooks<Context = TaskContext> {
  /** Before the handler runs. */
  readonly beforeStart?: (task: Context) => unknown;
  /** After it returned. */
  readonly onSuccess?: (task: Context, result: unknown) => unknown;
  /** After it failed for good; not for a retry. */
  readonly onFailure?: (task: Context, error: unknown) => unknown;
  /** When it is to be retried, with the error that caused it (or the Retry itself). */
  readonly onRetry?: (task: Context, error: unknown) => unknown;
  /** After everything else, with the state reached and the result or error. */
  readonly afterReturn?: (task: Context, state: string, result: unknown) => unknown;
  /** Before a replacement for the task is sent, with its signature. */
  readonly onReplace?: (task: Context, signature: unknown) => unknown;
}

/** Options of a task. Those whose default is a setting take the app's value when they are left out. */
export interface TaskOptions<Context = TaskContext> extends TaskHooks<Context> {
  /** The handler's first parameter is the running task. @defaultValue false */
  readonly bind?: boolean;
  /** A zod object or any Standard Schema; the handler gets the one object it makes of the arguments. @defaultValue none */
  readonly args?: StandardSchema;
  /**
   * Names the handler's parameters (without the context) where its source does not tell them: minified or bound
   * functions. `'x'` is required unless the handler gives it a default, `'x?'` is optional; `'*rest'` takes positional
   * arguments left over, and a last `'**options'` the keywords left over, as an object. With a schema: the names of
   * positional arguments. @defaultValue read from the handler's source
   */
  readonly params?: readonly string[];
  /** Let the client check the arguments before it sends; the worker always does. @defaultValue true */
  readonly typing?: boolean;
  /** Retries before giving up; null never gives up. @defaultValue 3 */
  readonly maxRetries?: number | null;
  /** Seconds before a retry that names no delay. @defaultValue 180 */
  readonly defaultRetryDelay?: number;
  /** Errors that retry the task by themselves. @defaultValue [] */
  readonly autoretryFor?: readonly ErrorKind[];
  /** Errors that do not, though autoretryFor includes them. @defaultValue [] */
  readonly dontAutoretryFor?: readonly ErrorKind[];
  /** Let the delay of automatic retries double each time: true from 1 second, a number from so many. @defaultValue false */
  readonly retryBackoff?: boolean | number;
  /** Seconds the growing delay never exceeds. @defaultValue 600 */
  readonly retryBackoffMax?: number;
  /** Take a random delay between 0 and the computed one. @defaultValue true */
  readonly retryJitter?: boolean;
  /** Acknowledge after the run, so that a lost worker's task runs again. @defaultValue setting task_acks_late */
  readonly acksLate?: boolean;
  /** With acksLate, acknowledge also what failed or timed out. @defaultValue setting task_acks_on_failure_or_timeout */
  readonly acksOnFailureOrTimeout?: boolean;
  /** With acksLate, put the task back when its process was lost. @defaultValue setting task_reject_on_worker_lost */
  readonly rejectOnWorkerLost?: boolean;
  /** Store no state and no result. @defaultValue setting task_ignore_result */
  readonly ignoreResult?: boolean;
  /** Store failures even then. @defaultValue setting task_store_errors_even_if_ignored */
  readonly storeErrorsEvenIfIgnored?: boolean;
  /** Store STARTED when the run begins. @defaultValue setting task_track_started */
  readonly trackStarted?: boolean;
  /** Seconds after which the run is ended by force. @defaultValue setting task_time_limit */
  readonly timeLimit?: number;
  /** Seconds after which the run is asked to end, by its signal. @defaultValue setting task_soft_time_limit */
  readonly softTimeLimit?: number;
  /** How often a worker starts the task: a number a second, or `'10/s'`, `'10/m'`, `'10/h'`; 0 or null: as often as it likes. @defaultValue setting task_default_rate_limit */
  readonly rateLimit?: number | string | null;
  /** Seconds after sending (or the moment) when it is no longer worth running. @defaultValue none */
  readonly expires?: number | Date;
  /** Message priority, 0 to 255; on Redis 0 to 9 tell, 0 the most urgent. @defaultValue setting task_default_priority */
  readonly priority?: number;
  /** Queue it is sent to. @defaultValue setting task_default_queue, after the routes */
  readonly queue?: string;
  /** Routing key it is sent with. @defaultValue the queue's */
  readonly routingKey?: string;
  /** Serializer of its messages, such as `'json'`. @defaultValue setting task_serializer */
  readonly serializer?: string;
  /** Compression of its messages, such as `'gzip'`. @defaultValue setting task_compression */
  readonly compression?: string;
  /** Serializer of its results. @defaultValue setting result_serializer */
  readonly resultSerializer?: string;
  /** Keep what the task sends in its stored result, as its children. @defaultValue true */
  readonly trail?: boolean;
  /** Errors that are part of normal operation: stored as failures, logged without alarm. @defaultValue [] */
  readonly throws?: readonly ErrorKind[];
  /** Seconds its results are kept; 0 or null keeps them for ever. @defaultValue setting result_expires */
  readonly resultExpires?: number | null;
}

/** Options with a value of their own whatever the settings say. */
type WithDefaults = Required<
  Pick<
    TaskOptions,
    | 'bind'
    | 'typing'
    | 'maxRetries'
    | 'defaultRetryDelay'
    | 'autoretryFor'
    | 'dontAutoretryFor'
    | 'retryBackoff'
    | 'retryBackoffMax'
    | 'retryJitter'
    | 'throws'
  >
>;

/** Checked and frozen options: Celery's own defaults filled in, undefined where the app's setting decides. */
export type ResolvedTaskOptions = WithDefaults & Omit<TaskOptions, keyof WithDefaults>;

const defaults: WithDefaults = {
  bind: false,
  typing: true,
  maxRetries: 3,
  defaultRetryDelay: 3 * 60,
  autoretryFor: [],
  dontAutoretryFor: [],
  retryBackoff: false,
  retryBackoffMax: 600,
  retryJitter: true,
  throws: [],
};

/** What a value must be, in words, and the test of it. */
interface Kind {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
const listOf = (fits: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(fits);

const flag: Kind = { expected: 'true or false', fits: (value) => typeof value === 'boolean' };
const name: Kind = { expected: 'a name', fits: (value) => typeof value === 'string' && value !== '' };
const seconds: Kind = { expected: 'a number of seconds', fits: isSeconds };
const limit: Kind = { expected: 'a number of seconds above 0', fits: (value) => isSeconds(value) && value > 0 };
const hook: Kind = { expected: 'a function', fits: (value) => typeof value === 'function' };
const errors: Kind = {
  expected: 'a list of error classes or exception names',
  fits: listOf((value) => typeof value === 'function' || name.fits(value)),
};

/** One row for each option, so that none is unchecked; the compiler holds it against TaskOptions. */
const kinds: Readonly<Record<keyof TaskOptions, Kind>> = {
  bind: flag,
  args: { expected: 'a zod object (3.24 or later) or any other Standard Schema', fits: isStandardSchema },
  params: { expected: 'a list of parameter names', fits: listOf(name.fits) },
  typing: flag,
  maxRetries: {
    expected: 'a whole number from 0, or null for no end',
    fits: (value) => value === null || (Number.isInteger(value) && isSeconds(value)),
  },
  defaultRetryDelay: seconds,
  autoretryFor: errors,
  dontAutoretryFor: errors,
  retryBackoff: {
    expected: 'true, false or a number of seconds',
    fits: (value) => flag.fits(value) || seconds.fits(value),
  },
  retryBackoffMax: seconds,
  retryJitter: flag,
  acksLate: flag,
  acksOnFailureOrTimeout: flag,
  rejectOnWorkerLost: flag,
  ignoreResult: flag,
  storeErrorsEvenIfIgnored: flag,
  trackStarted: flag,
  // That the soft limit lies below the hard one is checked when a message is sent, as in Celery.
  timeLimit: limit,
  softTimeLimit: limit,
  rateLimit: {
    expected: "a number a second, or a text such as '10/s', '10/m' or '10/h'",
    fits: (value) =>
      value === null ||
      isSeconds(value) ||
      (typeof value === 'string' && /^(?:\d+(?:\.\d+)?(?:\/[smh])?)?$/u.test(value)),
  },
  expires: {
    expected: 'a number of seconds or a Date',
    fits: (value) => isSeconds(value) || (value instanceof Date && !Number.isNaN(value.getTime())),
  },
  priority: {
    expected: 'a whole number from 0 to 255',
    fits: (value) => Number.isInteger(value) && isSeconds(value) && value <= 255,
  },
  queue: name,
  routingKey: name,
  serializer: name,
  compression: name,
  resultSerializer: name,
  trail: flag,
  throws: errors,
  resultExpires: {
    expected: 'a number of seconds, or null for ever',
    fits: (value) => value === null || isSeconds(value),
  },
  beforeStart: hook,
  onSuccess: hook,
  onFailure: hook,
  onRetry: hook,
  afterReturn: hook,
  onReplace: hook,
};

/**
 * Checks a task's options and fills in Celery's defaults. An option that is undefined counts as left out.
 *
 * @throws ConfigError naming the task and the option.
 */
export function resolveTaskOptions(taskName: string, options: unknown): ResolvedTaskOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConfigError(`task "${taskName}": its options must be an object, not ${describe(options)}`);
  }
  const given: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(kinds, option)) {
      const nearest = nearestName(option, Object.keys(kinds));
      const hint = nearest === null ? '' : ` (did you mean "${nearest}"?)`;
      throw new ConfigError(`task "${taskName}": unknown option "${option}"${hint}`);
    }
    if (value === undefined) continue;
    const { expected, fits } = kinds[option as keyof TaskOptions];
    if (!fits(value)) {
      throw new ConfigError(`task "${taskName}": the option ${option} must be ${expected}, not ${describe(value)}`);
    }
    given[option] = value;
  }
  return Object.freeze({ ...defaults, ...given });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined)
    return String(value);
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
