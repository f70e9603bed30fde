/**
 * Celery's log sentences, the words people grep for and parsers look at: the formats of celery/app/trace.py,
 * celery/worker/consumer/*.py, celery/worker/request.py, celery/worker/control.py and celery/apps/worker.py, 5.6.3.
 * Callers on the hot path ask `logger.isEnabled` first, so that no string is made for nothing.
 */

/** Longest part of a message's body that is shown. Celery: consumer.py dump_body, 1024. */
const BODY_SHOWN = 1_024;

/** Instead of a body or a result, where `celeriac_hide_arguments` is set. */
export const HIDDEN = '...';

const IGNORED = 'The message has been ignored and discarded.';

export const sentences = {
  taskReceived: (name: string, id: string) => `Task ${name}[${id}] received`,
  /** debug */
  taskAccepted: (name: string, id: string, pid: number) => `Task accepted: ${name}[${id}] pid:${pid}`,
  /** `result` as Python's repr prints it. */
  taskSucceeded: (name: string, id: string, runtimeSeconds: number, result: string) =>
    `Task ${name}[${id}] succeeded in ${runtimeSeconds}s: ${result}`,
  /** error; `exception` as Python's repr: ValueError('x'). */
  taskFailed: (name: string, id: string, exception: string, traceback: string | null = null) =>
    withTraceback(`Task ${name}[${id}] raised unexpected: ${exception}`, traceback),
  /** info; the task lists the error in `throws`. */
  taskFailedExpectedly: (name: string, id: string, exception: string) =>
    `Task ${name}[${id}] raised expected: ${exception}`,
  /** critical; the failure is the worker's own. */
  taskInternalError: (name: string, id: string, exception: string, traceback: string | null = null) =>
    withTraceback(`Task ${name}[${id}] INTERNAL ERROR: ${exception}`, traceback),
  /** `reason` as Retry prints itself: Retry in 3s: ValueError('x'). */
  taskRetried: (name: string, id: string, reason: string) => `Task ${name}[${id}] retry: ${reason}`,
  taskIgnored: (name: string, id: string) => `Task ${name}[${id}] ignored`,
  /** warning; `exception` as Python's repr: Reject('no', requeue=False). */
  taskRejected: (name: string, id: string, exception: string) => `Task ${name}[${id}] ${exception}`,
  /** Celery says the same of a revoked and of an expired task. `byHeader`: the stamp that revoked it. */
  taskRevoked: (name: string, id: string, byHeader: string | null = null) =>
    `Discarding revoked task: ${name}[${id}]${byHeader === null ? '' : ` (revoked by header: ${byHeader})`}`,
  taskExpired: (name: string, id: string) => `Discarding revoked task: ${name}[${id}]`,
  /** warning */
  softTimeLimit: (name: string, id: string, seconds: number) =>
    `Soft time limit (${seconds}s) exceeded for ${name}[${id}]`,
  hardTimeLimit: (name: string, id: string, seconds: number) =>
    `Hard time limit (${seconds}s) exceeded for ${name}[${id}]`,
  /** error */
  etaUnreadable: (eta: string, reason: string, task: string) =>
    `Couldn't convert ETA ${eta} to timestamp: ${reason}. Task: ${task}`,

  /** error; an unregistered task. */
  unknownTask: (name: string, body: Shown, headers: string | null = null) =>
    `Received unregistered task of type '${printable(name)}'.\n${IGNORED}\n\nIs the module that defines it loaded (-A, include)?\n\nbody: ${shown(body)}${
      headers === null ? '' : `\nheaders: ${headers}`
    }`,
  /** error */
  invalidTask: (reason: string, body: Shown) =>
    `Received invalid task message: ${printable(reason)}\n${IGNORED}\n\nbody: ${shown(body)}`,
  contentDisallowed: (reason: string, body: Shown) =>
    `Received invalid task message: ${printable(reason)}\n${IGNORED}\n\nbody: ${shown(body)}`,
  /** warning; no task message at all. */
  unknownMessage: (body: Shown) =>
    `Received and deleted unknown message.  Wrong destination?!?\n\nbody: ${shown(body)}`,
  /** critical */
  decodeError: (reason: string, body: Shown) =>
    `Can't decode message body: ${printable(reason)}\n\nbody: ${shown(body)}`,
  /** critical */
  ackFailed: (tag: string, reason: string) => `Couldn't ack '${tag}', reason:${reason}`,
  rejectFailed: (tag: string, reason: string) => `Couldn't reject '${tag}', reason: ${reason}`,

  connected: (url: string) => `Connected to ${url}`,
  pidboxConnected: (url: string) => `pidbox: Connected to ${url}.`,
  /** error; `next` is tryingAgain, nextFailover or empty. */
  cannotConnect: (url: string, reason: string, next: string) =>
    `consumer: Cannot connect to ${url}: ${reason}.\n${next}\n`,
  /** `max`: null for ever. */
  tryingAgain: (seconds: number, attempt: number, max: number | null) =>
    `Trying again ${humanSeconds(seconds)}... (${attempt}/${max ?? 'None'})`,
  /** critical */
  retryDisabled: (what: 'establish' | 're-establish', setting: string) =>
    `Retrying to ${what} a connection to the message broker after a connection loss has been disabled (${setting}=False). Shutting down...`,
  /** critical */
  unrecoverable: (reason: string) => `Unrecoverable error: ${reason}`,
  nextFailover: () => 'Will retry using next failover.',
  /** warning */
  connectionLost: () => 'consumer: Connection to broker lost. Trying to re-establish the connection...',
  ready: (nodename: string) => `${nodename} ready.`,
  consuming: (queue: string) => `Started consuming from ${queue}`,
  cancelling: (queue: string) => `Canceling queue ${queue}`,
  restoring: (count: number) => `Restoring ${count} unacknowledged message(s)`,
  shutdown: (how: 'Warm' | 'Cold' | 'Soft', processName = 'MainProcess') => `worker: ${how} shutdown (${processName})`,

  mingleSearching: () => 'mingle: searching for neighbors',
  mingleSync: (count: number) => `mingle: sync with ${count} nodes`,
  mingleComplete: () => 'mingle: sync complete',
  mingleAlone: () => 'mingle: all alone',
  gossipMissed: (nodename: string) => `missed heartbeat from ${nodename}`,
  /** debug */
  gossipJoined: (nodename: string) => `${nodename} joined the party`,
  gossipLeft: (nodename: string) => `${nodename} left`,

  tasksRevoked: (ids: string) => `Tasks flagged as revoked: ${ids}`,
  terminating: (id: string, signal: string) => `Terminating ${id} (${signal})`,
  rateLimitSet: (name: string, limit: string) => `New rate limit for tasks of type ${name}: ${limit}.`,
  rateLimitsOff: (name: string) => `Rate limits disabled for tasks of type ${name}`,
  timeLimitsSet: (name: string, soft: string, hard: string) =>
    `New time limits for tasks of type ${name}: soft=${soft} hard=${hard}`,
  noSuchCommand: (name: string) => `No such control command: ${name}`,
  commandFailed: (reason: string) => `Control command error: ${reason}`,
  scalingUp: (count: number) => `Scaling up ${count} processes.`,
  scalingDown: (count: number) => `Scaling down ${count} processes.`,
  dueTask: (entry: string, name: string) => `Scheduler: Sending due task ${entry} (${name})`,
} as const;

type Shown = string | Uint8Array;

/** A body cut to what a log can take, and its whole length in bytes. */
function shown(body: Shown): string {
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  const text =
    typeof body === 'string'
      ? body
      : Buffer.from(body.buffer, body.byteOffset, Math.min(bytes, BODY_SHOWN * 4)).toString();
  return `${printable(text.slice(0, BODY_SHOWN))}${text.length > BODY_SHOWN ? '...' : ''} (${bytes}b)`;
}

/** What comes from somebody else: its control characters must not reach a terminal, nor make lines of their own. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function withTraceback(line: string, traceback: string | null): string {
  return traceback === null || traceback === '' ? line : `${line}\n${traceback}`;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** Celery: celery/utils/time.py humanize_seconds; less than a second is "now". */
function humanSeconds(seconds: number): string {
  const rounded = Number(seconds.toFixed(2));
  const unit = UNITS.find(([, length]) => rounded >= length);
  if (!unit) return 'now';
  const count = rounded / unit[1];
  return `in ${count.toFixed(2)} ${unit[0]}${count === 1 ? '' : 's'}`;
}
