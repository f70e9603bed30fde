/** The public surface: explicit names, nothing else. */
export { Broadcast, type ExchangeOptions, type ExchangeType, type QueueOptions } from './broker/queue.ts';
export { Celeriac } from './client/app.ts';
export { EagerResult } from './client/eager-result.ts';
export { AsyncResult, type GetOptions } from './client/result.ts';
export type { SendOptions } from './client/send.ts';
export { Task, type ApplyOptions, type EagerApplyOptions } from './client/task.ts';
export {
  BackendError,
  BrokerConnectionError,
  CeleriacError,
  ConfigError,
  ContentDisallowedError,
  DecodeError,
  EncodeError,
  IllegalStateError,
  InvalidTaskError,
  MaxRetriesExceededError,
  NotRegisteredError,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TimeLimitExceeded,
  TimeoutError,
  ValidationError,
  WorkerShutdownError,
} from './errors.ts';
export { createLogger, type Logger, type LogFields, type LogOptions } from './log.ts';
export { PythonError, TaskError, type WireException } from './protocol/exceptions.ts';
export { DateTime, Decimal, PlainDate, PlainTime, Uuid } from './protocol/typed-values.ts';
export type { ConnectOptions, Receiver, Signal, SignalPayload } from './signals/signal.ts';
export { signals, type WorkerInstance } from './signals/signals.ts';
export { currentTask, findCurrentTask, TaskContext, type RetryOptions, type TaskLogger } from './tasks/context.ts';
export { Checkpoint } from './tasks/checkpoint.ts';
export { TaskHandler } from './tasks/handler.ts';
export type { TaskHooks, TaskOptions } from './tasks/options.ts';
export { Ignore, Reject, Retry } from './tasks/predicates.ts';
export type { TaskRequest } from './tasks/request.ts';
export { defineResource, type Resource } from './tasks/resources.ts';
