/**
 * What celeriac logs through: a small interface, and winston behind it (only here). Counterparts: celery/app/log.py and
 * celery/utils/log.py, 5.6.3. A call below the level costs one comparison; text that is dear to make is made only after
 * asking isEnabled.
 */

import { createLogger as createWinston, format, transports, type Logger as WinstonLogger } from 'winston';
import {
  coloured,
  jsonFormat,
  PROCESS_FORMAT,
  TASK_FORMAT,
  textFormat,
  wantsColour,
  type LogRecord,
  type Render,
} from './log/format.ts';
import { SEVERITY, severityOf, type LogLevel, type LogMethod } from './log/levels.ts';
import { WatchedFile } from './log/watched-file.ts';

export { type LogLevel, type LogMethod } from './log/levels.ts';
export { HIDDEN, sentences } from './log/sentences.ts';

/** Beside the text: kept in JSON logs; `error` (an Error) is printed with its stack under the line in both formats. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  critical(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line; with `task_name` and `task_id` it writes in the format for tasks. */
  child(fields: LogFields): Logger;
  /** Whether lines of this level are written; ask before making a dear text. */
  isEnabled(level: LogMethod): boolean;
}

/** The logger createLogger makes, which its owner ends. */
export interface RootLogger extends Logger {
  setLevel(level: LogLevel | number): void;
  /** Writes what is pending and closes the log file. Idempotent. */
  close(): Promise<void>;
}

export interface LogOptions {
  /** Lines below are dropped. Celery's names in any case, or Python's numbers. @defaultValue 'warning' */
  readonly level?: LogLevel | Uppercase<LogLevel> | number;
  /** 'json', or a template in Python's %-style (`worker_log_format`). @defaultValue Celery's */
  readonly format?: string;
  /** The same for lines of running tasks (`worker_task_log_format`); ignored with 'json'. @defaultValue Celery's */
  readonly taskFormat?: string;
  /** The level of loggers of tasks, those with `task_name` and `task_id`. @defaultValue the level */
  readonly taskLevel?: string | number;
  /** A file to append to. @defaultValue the standard error, as Celery */
  readonly file?: string;
  /** false: never colours. Else on a terminal only, and never against NO_COLOR. @defaultValue true */
  readonly color?: boolean;
  /** %(processName)s. @defaultValue 'MainProcess' */
  readonly processName?: string;
  /** Instead of the standard error. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** @throws ConfigError for an unknown level, an unknown name in a format, or a file that cannot be written. */
export function createLogger(options: LogOptions = {}): RootLogger {
  return new CeleriacRootLogger(options);
}

/** winston prints what stands under this key. */
const RENDERED = Symbol.for('message');

const LEVELS = { critical: 0, error: 1, warn: 2, info: 3, debug: 4 };

const silenced = new WeakSet<object>();

/** The writing end that a logger and all its children share. */
class Sink {
  threshold: number;
  /** Of tasks' own loggers; null: as the others. */
  readonly taskThreshold: number | null;
  readonly #winston: WinstonLogger;
  readonly #processName: string;
  readonly #renderProcess: Render;
  readonly #renderTask: Render;
  readonly #file: WatchedFile | null;
  #closed: Promise<void> | undefined;

  constructor(options: LogOptions) {
    this.threshold = severityOf(options.level ?? 'warning');
    this.taskThreshold = options.taskLevel === undefined ? null : severityOf(options.taskLevel);
    this.#processName = options.processName ?? 'MainProcess';
    const isJson = options.format === 'json';
    let renderProcess = isJson ? jsonFormat : textFormat(options.format ?? PROCESS_FORMAT);
    let renderTask = isJson ? jsonFormat : textFormat(options.taskFormat ?? TASK_FORMAT);
    this.#file = options.file === undefined ? null : new WatchedFile(options.file);
    const stream = options.stream ?? process.stderr;
    if (!isJson && !this.#file && options.color !== false && wantsColour(stream)) {
      renderProcess = coloured(renderProcess);
      renderTask = coloured(renderTask);
    }
    this.#renderProcess = renderProcess;
    this.#renderTask = renderTask;
    if (!this.#file && !silenced.has(stream)) {
      silenced.add(stream);
      // Whoever read our standard error has gone: no reason to die.
      stream.on('error', () => undefined);
    }
    this.#winston = createWinston({
      levels: LEVELS,
      level: 'debug',
      format: format((info) => info)(),
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types name an interface here
      transports: [new transports.Stream({ stream: this.#file ?? stream, eol: '\n' })],
    });
  }

  /** Once closed, lines are dropped: what is told at the very end must not end the process in its own way. */
  write(level: LogMethod, message: string, fields: LogFields, isTask: boolean): void {
    if (this.#closed !== undefined) return;
    const record: LogRecord = { timeMs: Date.now(), level, message, fields, processName: this.#processName };
    const text = (isTask ? this.#renderTask : this.#renderProcess)(record);
    this.#winston.log({ level, message, [RENDERED]: text });
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const finished = new Promise((resolve) => this.#winston.once('finish', resolve));
    this.#winston.end();
    await finished;
    if (this.#file) await new Promise<void>((resolve) => this.#file?.end(resolve));
  }
}

const NONE: LogFields = {};

class CeleriacLogger implements Logger {
  protected readonly sink: Sink;
  readonly #fields: LogFields;
  readonly #hasFields: boolean;
  readonly #isTask: boolean;

  constructor(sink: Sink, fields: LogFields) {
    this.sink = sink;
    this.#fields = fields;
    this.#hasFields = Object.keys(fields).length > 0;
    this.#isTask = typeof fields.task_name === 'string' && typeof fields.task_id === 'string';
  }

  debug(message: string, fields: LogFields = NONE): void {
    if (SEVERITY.debug >= this.#threshold) this.#write('debug', message, fields);
  }

  info(message: string, fields: LogFields = NONE): void {
    if (SEVERITY.info >= this.#threshold) this.#write('info', message, fields);
  }

  warn(message: string, fields: LogFields = NONE): void {
    if (SEVERITY.warn >= this.#threshold) this.#write('warn', message, fields);
  }

  error(message: string, fields: LogFields = NONE): void {
    if (SEVERITY.error >= this.#threshold) this.#write('error', message, fields);
  }

  critical(message: string, fields: LogFields = NONE): void {
    if (SEVERITY.critical >= this.#threshold) this.#write('critical', message, fields);
  }

  child(fields: LogFields): Logger {
    return new CeleriacLogger(this.sink, { ...this.#fields, ...fields });
  }

  isEnabled(level: LogMethod): boolean {
    return SEVERITY[level] >= this.#threshold;
  }

  get #threshold(): number {
    return (this.#isTask ? this.sink.taskThreshold : null) ?? this.sink.threshold;
  }

  #write(level: LogMethod, message: string, fields: LogFields): void {
    this.sink.write(level, message, this.#hasFields ? { ...this.#fields, ...fields } : fields, this.#isTask);
  }
}

class CeleriacRootLogger extends CeleriacLogger implements RootLogger {
  constructor(options: LogOptions) {
    super(new Sink(options), NONE);
  }

  setLevel(level: LogLevel | number): void {
    this.sink.threshold = severityOf(level);
  }

  close(): Promise<void> {
    return this.sink.close();
  }
}
