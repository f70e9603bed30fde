/**
 * Every error of celeriac's own, each with a literal `code`, grouped by who must act. Errors whose class name travels
 * to Python (TaskRevokedError, TimeLimitExceeded ...) carry Celery's exact name and module as `excType` and `excModule`.
 */

export class CeleriacError extends Error {
  /** Stable, documented in docs/errors.md; switch on this, never on the message. */
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A setting is unknown, of the wrong type or out of range: the user mends it before starting again. */
export class ConfigError extends CeleriacError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_CONFIG', message, options);
  }
}

/** Bytes from elsewhere are not what they claim to be (JSON, base64, compression, envelope shape). */
export class DecodeError extends CeleriacError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_DECODE', message, options);
  }
}

/** A value cannot be serialised. Stored by a worker as kombu.exceptions.EncodeError. */
export class EncodeError extends CeleriacError {
  static readonly excType = 'EncodeError';
  static readonly excModule = 'kombu.exceptions';
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_ENCODE', message, options);
  }
}

/** The content type is not in accept_content, or is one that is never decoded (pickle). */
export class ContentDisallowedError extends CeleriacError {
  constructor(message: string) {
    super('CELERIAC_CONTENT_DISALLOWED', message);
  }
}

/** The envelope is sound, but it is no task message a worker can run (shape of body, eta, time limit ...). */
export class InvalidTaskError extends CeleriacError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_INVALID_TASK', message, options);
  }
}

/** No task of that name is registered here. Celery: celery.exceptions.NotRegistered, its only argument the name. */
export class NotRegisteredError extends CeleriacError {
  static readonly excType = 'NotRegistered';
  static readonly excModule = 'celery.exceptions';
  readonly excArgs: readonly unknown[];
  /** @param nearest - registered names it may have been meant for. */
  constructor(taskName: string, nearest: readonly string[] = []) {
    const hint = nearest.length === 0 ? '' : ` (did you mean ${nearest.map((name) => `"${name}"`).join(' or ')}?)`;
    super('CELERIAC_NOT_REGISTERED', `task "${taskName}" is not registered${hint}`);
    this.excArgs = [taskName];
  }
}

/** Redis cannot be reached or does not let us in; whoever called retries with growing pauses. */
export class BrokerConnectionError extends CeleriacError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_BROKER_CONNECTION', message, options);
  }
}

/** The result backend failed, or answered with something that is no result. */
export class BackendError extends CeleriacError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CELERIAC_BACKEND', message, options);
  }
}

/** `get({ timeout })` ran out of time. Celery: celery.exceptions.TimeoutError. */
export class TimeoutError extends CeleriacError {
  constructor(message: string) {
    super('CELERIAC_TIMEOUT', message);
  }
}

/** The task was revoked, expired or terminated; its only argument says which. */
export class TaskRevokedError extends CeleriacError {
  static readonly excType = 'TaskRevokedError';
  static readonly excModule = 'celery.exceptions';
  readonly excArgs: readonly unknown[];
  constructor(reason: string) {
    super('CELERIAC_TASK_REVOKED', reason);
    this.excArgs = [reason];
  }
}

/** A bug of ours, or misuse: acked twice, started twice. */
export class IllegalStateError extends CeleriacError {
  constructor(message: string) {
    super('CELERIAC_ILLEGAL_STATE', message);
  }
}

/** Redis answered a command with an error; `reply` is its first word: WRONGTYPE, NOSCRIPT, NOPERM, OOM, READONLY ... */
export class RedisReplyError extends CeleriacError {
  readonly reply: string;
  constructor(reply: string, message: string, options?: { cause?: unknown }) {
    super('CELERIAC_REDIS_REPLY', message, options);
    this.reply = reply;
  }
}

/** The arguments of a task do not fit its schema; the handler was not called. */
export class ValidationError extends CeleriacError {
  static readonly excType = 'ValidationError';
  static readonly excModule = 'celeriac.errors';
  readonly excArgs: readonly unknown[];
  /** What is wrong and where; `path` joins keys and indexes with dots, and is empty for the arguments as a whole. */
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  constructor(message: string, issues: readonly { readonly path: string; readonly message: string }[]) {
    super('CELERIAC_VALIDATION', message);
    this.excArgs = [message];
    this.issues = issues;
  }
}

/** A task asked for one retry more than it has. Celery: celery.exceptions.MaxRetriesExceededError. */
export class MaxRetriesExceededError extends CeleriacError {
  static readonly excType = 'MaxRetriesExceededError';
  static readonly excModule = 'celery.exceptions';
  readonly excArgs: readonly unknown[];
  constructor(message: string) {
    super('CELERIAC_MAX_RETRIES_EXCEEDED', message);
    this.excArgs = [message];
  }
}

/** The soft time limit has passed: the reason of `task.signal`; a task that catches it may still end well. */
export class SoftTimeLimitExceeded extends CeleriacError {
  static readonly excType = 'SoftTimeLimitExceeded';
  static readonly excModule = 'billiard.exceptions';
  readonly excArgs: readonly unknown[] = [];
  constructor(message = 'the soft time limit has passed') {
    super('CELERIAC_SOFT_TIME_LIMIT', message);
  }
}

/** The hard time limit has passed: the task has failed, whatever its handler still does. Its only argument is the limit. */
export class TimeLimitExceeded extends CeleriacError {
  static readonly excType = 'TimeLimitExceeded';
  static readonly excModule = 'billiard.exceptions';
  readonly excArgs: readonly unknown[];
  constructor(seconds: number) {
    super('CELERIAC_TIME_LIMIT', `the hard time limit of ${seconds} s has passed`);
    this.excArgs = [seconds];
  }
}

/** The worker ends without waiting for its tasks: the reason of `task.signal` of those that still run. */
export class WorkerShutdownError extends CeleriacError {
  constructor(message = 'the worker shuts down') {
    super('CELERIAC_WORKER_SHUTDOWN', message);
  }
}
