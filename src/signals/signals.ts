/**
 * Celery's signals by their names in camelCase, with their payloads. Counterpart: celery/signals.py, 5.6.3.
 * One set for the process, as in Celery: a module connects its receivers when it is loaded, before there is any app.
 * docs/signals.md has the table of who sends what when, and who waits for it.
 */
import type { Config } from '../config/config.ts';
import type { Logger } from '../log.ts';
import type { TaskHeaders } from '../protocol/task-message.ts';
import type { TaskContext } from '../tasks/context.ts';
import type { Retry } from '../tasks/predicates.ts';
import type { TaskRequest } from '../tasks/request.ts';
import { Signal, type SignalPayload } from './signal.ts';

/** A worker, as far as receivers deal with it. */
export interface WorkerInstance {
  readonly nodename: string;
  stop(mode?: 'warm' | 'cold'): Promise<void>;
}

export interface WorkerPayload extends SignalPayload {
  readonly sender: string;
  readonly instance: WorkerInstance;
}

export interface WorkerSetupPayload extends WorkerPayload {
  /** The settings in force. */
  readonly conf: Config;
}

export interface ShuttingDownPayload extends SignalPayload {
  readonly sender: string;
  /** The name of the signal that asked for it, SIGTERM; null: the program did, or a control command. */
  readonly sig: string | null;
  readonly how: 'Warm' | 'Cold';
  readonly exitcode: number;
}

export interface ProcessShutdownPayload extends SignalPayload {
  readonly pid: number;
  readonly exitcode: number;
}

export interface BeforePublishPayload extends SignalPayload {
  /** The task's name. */
  readonly sender: string;
  /** `[args, kwargs, embed]`, to be changed in place. */
  readonly body: unknown[];
  readonly exchange: string;
  readonly routingKey: string;
  /** To be changed in place: header by header, with the names of the wire. */
  readonly headers: Record<string, unknown>;
  /** To be changed in place; `priority` among them. */
  readonly properties: Record<string, unknown>;
}

export type AfterPublishPayload = Omit<BeforePublishPayload, 'properties'>;

export interface ReceivedPayload extends SignalPayload {
  readonly sender: string;
  /** What the message says of the task, before its arguments are read. */
  readonly request: TaskHeaders;
}

export interface RunPayload extends SignalPayload {
  readonly sender: string;
  readonly taskId: string;
  /** The running task, as a bound task's handler gets it. */
  readonly task: TaskContext;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

export interface PostrunPayload extends RunPayload {
  /** What it returned, or threw. */
  readonly retval: unknown;
  /** SUCCESS, FAILURE, RETRY, IGNORED, REJECTED or REVOKED. */
  readonly state: string;
}

export interface SuccessPayload extends SignalPayload {
  readonly sender: string;
  readonly taskId: string;
  readonly task: TaskContext;
  readonly result: unknown;
}

export interface FailurePayload extends SignalPayload {
  readonly sender: string;
  readonly taskId: string;
  /** The running task; null where it has no run to speak of any more: a lost process, a hard time limit. */
  readonly task: TaskContext | null;
  /** What it threw. */
  readonly exception: unknown;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The stack with those of its causes, as it is stored. */
  readonly traceback: string | null;
}

export interface RetryPayload extends SignalPayload {
  readonly sender: string;
  readonly task: TaskContext;
  readonly request: TaskRequest;
  /** Its `exc` is what went wrong, if anything did. */
  readonly reason: Retry;
}

export interface RevokedPayload extends SignalPayload {
  readonly sender: string;
  readonly request: TaskHeaders;
  /** It ran and was ended. */
  readonly terminated: boolean;
  /** The number of the signal that ended it. */
  readonly signum: number | null;
  readonly expired: boolean;
}

/** A message nobody here runs. */
export interface RefusedMessage {
  /** The queue it came from. */
  readonly queue: string;
  /** The envelope as it came. */
  readonly raw: string;
}

export interface RejectedPayload extends SignalPayload {
  readonly message: RefusedMessage;
  /** What is wrong with it. */
  readonly exc: unknown;
}

export interface UnknownPayload extends SignalPayload {
  readonly sender: string;
  readonly message: RefusedMessage;
  readonly exc: Error;
  /** The name that is not registered. */
  readonly name: string;
  readonly id: string;
}

export interface InternalErrorPayload extends SignalPayload {
  readonly sender: string;
  readonly taskId: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly exception: unknown;
}

export interface LoggingPayload extends SignalPayload {
  /** The level's name, `info`. */
  readonly loglevel: string;
  /** Null: the standard error. */
  readonly logfile: string | null;
  /** The template, or `json`; null: Celery's own. */
  readonly format: string | null;
  readonly colorize: boolean;
}

export interface LoggerPayload extends LoggingPayload {
  readonly logger: Logger;
}

export const signals = Object.freeze({
  /** Before a task's message is published; the message may be changed. Celery: before_task_publish. */
  beforeTaskPublish: new Signal<BeforePublishPayload>('beforeTaskPublish'),
  /** The message is in Redis. Celery: after_task_publish. */
  afterTaskPublish: new Signal<AfterPublishPayload>('afterTaskPublish'),

  /** A worker got a task it will run, now or later. Celery: task_received. */
  taskReceived: new Signal<ReceivedPayload>('taskReceived'),
  /** Before the handler runs, as the current task. Celery: task_prerun. */
  taskPrerun: new Signal<RunPayload>('taskPrerun'),
  /** After the handler, however it came out. Celery: task_postrun. */
  taskPostrun: new Signal<PostrunPayload>('taskPostrun'),
  /** The handler returned. Celery: task_success. */
  taskSuccess: new Signal<SuccessPayload>('taskSuccess'),
  /** The task failed for good. Celery: task_failure. */
  taskFailure: new Signal<FailurePayload>('taskFailure'),
  /** The task is to run again. Celery: task_retry. */
  taskRetry: new Signal<RetryPayload>('taskRetry'),
  /** The task was revoked, expired or terminated. Celery: task_revoked. */
  taskRevoked: new Signal<RevokedPayload>('taskRevoked'),
  /** A message was refused. Celery: task_rejected. */
  taskRejected: new Signal<RejectedPayload>('taskRejected'),
  /** A task arrived that is not registered. Celery: task_unknown. */
  taskUnknown: new Signal<UnknownPayload>('taskUnknown'),
  /** Something of the worker's own failed around a task. Celery: task_internal_error. */
  taskInternalError: new Signal<InternalErrorPayload>('taskInternalError'),

  /** Before a worker starts. Celery: worker_init. */
  workerInit: new Signal<WorkerPayload>('workerInit'),
  /** Before it consumes: the place to look at what it was set up with. Celery: celeryd_after_setup. */
  celerydAfterSetup: new Signal<WorkerSetupPayload>('celerydAfterSetup'),
  /** It consumes. Celery: worker_ready. */
  workerReady: new Signal<WorkerPayload>('workerReady'),
  /** It was asked to stop. Celery: worker_shutting_down. */
  workerShuttingDown: new Signal<ShuttingDownPayload>('workerShuttingDown'),
  /** It has stopped; the app's connections are still open. Celery: worker_shutdown. */
  workerShutdown: new Signal<WorkerPayload>('workerShutdown'),
  /** Before a pool makes a process. Celery: worker_before_create_process. */
  workerBeforeCreateProcess: new Signal<SignalPayload>('workerBeforeCreateProcess'),
  /** In each process that runs tasks, before it does. Celery: worker_process_init. */
  workerProcessInit: new Signal<SignalPayload>('workerProcessInit'),
  /** In each process that ran tasks, before it ends. Celery: worker_process_shutdown. */
  workerProcessShutdown: new Signal<ProcessShutdownPayload>('workerProcessShutdown'),
  /** Before a heartbeat event goes out. Celery: heartbeat_sent. */
  heartbeatSent: new Signal<WorkerPayload>('heartbeatSent'),

  /** Before logging is set up; a receiver that returns a Logger replaces celeriac's. Celery: setup_logging. */
  setupLogging: new Signal<LoggingPayload>('setupLogging'),
  /** The logger stands. Celery: after_setup_logger. */
  afterSetupLogger: new Signal<LoggerPayload>('afterSetupLogger'),
});
