/**
 * What follows from an outcome: store, then acknowledge, then say so in the log. The order is Celery's (app/trace.py,
 * worker/request.py, 5.6.3): with late acknowledgement a message is given up only when its result is durable.
 *
 *   outcome     stored            late ack            early ack (done when it was accepted)
 *   success     SUCCESS           ack                 -
 *   failure     FAILURE           ack, or drop *      -            (also of a result that is no data)
 *   retry       RETRY             ack, after the new message is in Redis
 *   ignored     nothing           ack                 -
 *   rejected    nothing           drop or requeue     -
 *   revoked     REVOKED           ack                 ack
 *   timeout     FAILURE           ack, or requeue *   -
 *   lost        FAILURE           ack, or drop *      -
 *   lost        nothing           requeue             -            (reject_on_worker_lost)
 *                                                                  (* acks_on_failure_or_timeout off)
 *
 * If the process dies before the ack, the message is delivered again by whoever recovers it; a stored SUCCESS is then
 * never overwritten.
 */
import type { Backend } from '../backend/backend.ts';
import { shouldStore } from '../backend/should-store.ts';
import type { Delivery } from '../broker/delivery.ts';
import { BackendError, ConfigError, EncodeError, TaskRevokedError, TimeLimitExceeded } from '../errors.ts';
import { HIDDEN, sentences, type Logger } from '../log.ts';
import type { ErrorIdentity } from '../protocol/error-identity.ts';
import { exceptionRepr, PythonError, toWireException, type WireException } from '../protocol/exceptions.ts';
import { resultTuple, type ExtendedMeta, type ResultRecord } from '../protocol/result-meta.ts';
import { saferepr } from '../protocol/saferepr.ts';
import { pyRepr } from '../protocol/python-repr.ts';
import type { TaskHeaders } from '../protocol/task-message.ts';
import { signals } from '../signals/signals.ts';
import { hasEnd, type Ending, type HookFailure } from '../tasks/hooks.ts';
import type { LostOutcome, Outcome, RetryOutcome, SuccessOutcome } from '../tasks/outcome.ts';
import type { LimitedSet } from '../util/limited-set.ts';
import { announceFailure, announceInternalError, announceRevoked } from './announce.ts';
import type { Request } from './request.ts';
import type { TaskType } from './task-type.ts';

/** What receivers of taskPostrun are told where nothing was stored; null: the process is gone, and so are they. */
const STATE_OF: Readonly<Record<Outcome['kind'], string | null>> = {
  success: 'SUCCESS',
  failure: 'FAILURE',
  retry: 'RETRY',
  ignored: 'IGNORED',
  rejected: 'REJECTED',
  revoked: 'REVOKED',
  timeout: 'FAILURE',
  lost: null,
};

export interface SettlementPorts {
  readonly backend: Backend;
  readonly logger: Logger;
  readonly hostname: string;
  /** `celeriac_hide_arguments`: results are not printed. */
  readonly hidesArguments: boolean;
  /** Ids of tasks that succeeded here and must not run again: `worker_deduplicate_successful_tasks`. */
  readonly successful: LimitedSet;
  /** Publishes the message of the next attempt. */
  readonly sendRetry: (request: Request, outcome: RetryOutcome) => Promise<void>;
  /** Calls the hooks of a run, where its code runs. */
  readonly finish: (request: Request, ending: Ending) => Promise<HookFailure | null>;
}

export class Settlement {
  readonly #ports: SettlementPorts;

  constructor(ports: SettlementPorts) {
    this.#ports = ports;
  }

  /**
   * Carries an outcome through. Where Redis refuses the result for good, the message is given up all the same, loudly: the
   * run is over, and another one would end the same way. Rejects only when that can't be done either.
   */
  async settle(request: Request, outcome: Outcome): Promise<void> {
    const { logger } = this.#ports;
    try {
      // One promise fewer for the most frequent outcome.
      if (outcome.kind !== 'success') {
        await this.#settleOther(request, outcome);
        return;
      }
      try {
        await this.#store(request, { state: 'SUCCESS', result: outcome.value, children: outcome.children });
      } catch (error) {
        await this.#failUnstorable(request, error);
        return;
      }
      const { definition, deduplicates } = request.type;
      if (hasEnd(definition) && (await this.#failsByHook(request, outcome))) return;
      if (!request.isAcknowledged) await this.#endLate(request, 'ack');
      if (deduplicates) this.#ports.successful.add(request.id);
      this.#logSuccess(request, outcome);
    } catch (error) {
      const text = exceptionRepr(toWireException(error));
      logger.critical(sentences.taskInternalError(request.name, request.id, text, stackOf(error)), fields(request));
      announceInternalError(request, error, logger);
      await this.#endLate(request, 'drop');
    } finally {
      // Whoever was told of the start of a run is told of its end, whatever came of it.
      const state = STATE_OF[outcome.kind];
      if (state !== null && signals.taskPostrun.isListened) await this.#ports.finish(request, { kind: 'over', state });
    }
  }

  async #settleOther(request: Request, outcome: Exclude<Outcome, SuccessOutcome>): Promise<void> {
    const { logger } = this.#ports;
    switch (outcome.kind) {
      case 'failure':
        return this.#fail(request, { ...outcome, exception: toWire(outcome.exception) });
      case 'retry':
        return this.#retry(request, outcome);
      case 'ignored':
        await this.#endLate(request, 'ack');
        logger.info(sentences.taskIgnored(request.name, request.id), fields(request));
        return;
      case 'rejected':
        await this.#endLate(request, outcome.requeue ? 'requeue' : 'drop');
        logger.warn(
          sentences.taskRejected(request.name, request.id, rejectRepr(outcome.reason, outcome.requeue)),
          fields(request),
        );
        return;
      case 'revoked':
        await this.revoke(request.delivery, request.headers, request.type, outcome.reason, request.isAcknowledged);
        return;
      case 'timeout': {
        const error = new TimeLimitExceeded(outcome.limitSeconds);
        // Celery stores the failure even where the message goes back to its queue.
        await this.#storeFailure(request, toWireException(error), null);
        await this.#endLate(request, request.type.acksOnTimeout ? 'ack' : 'requeue');
        logger.error(sentences.hardTimeLimit(request.name, request.id, outcome.limitSeconds), fields(request));
        await announceFailure(request, error, logger);
        return;
      }
      case 'lost': {
        const { acksOnFailure, rejectOnWorkerLost } = request.type;
        const error = workerLost(outcome);
        const exception = toWireException(error);
        logger.error(sentences.taskFailed(request.name, request.id, exceptionRepr(exception), null), fields(request));
        if (rejectOnWorkerLost && !request.isAcknowledged) return this.#endLate(request, 'requeue');
        await this.#storeFailure(request, exception, null);
        await this.#endLate(request, acksOnFailure ? 'ack' : 'drop');
        await announceFailure(request, error, logger);
        return;
      }
    }
  }

  /** Stores STARTED; in order before whatever follows, so nobody waits for it. */
  async storeStarted(request: Request): Promise<void> {
    await this.#store(request, { state: 'STARTED', result: { pid: process.pid, hostname: this.#ports.hostname } });
  }

  /** Ends a task that must not run, or was terminated: state REVOKED, and the message is done with. */
  async revoke(
    delivery: Delivery,
    headers: TaskHeaders,
    type: TaskType,
    reason: 'revoked' | 'expired' | 'terminated',
    isAcknowledged = false,
  ): Promise<void> {
    const { logger } = this.#ports;
    logger.info(sentences.taskRevoked(headers.shadow ?? headers.task, headers.id), {
      task: headers.task,
      id: headers.id,
    });
    const ignoreResult = headers.ignoreResult ?? type.ignoreResult;
    if (shouldStore('REVOKED', { ignoreResult, storeErrorsEvenIfIgnored: type.storeErrorsEvenIfIgnored })) {
      await this.#ports.backend.store({
        ...identity(headers),
        state: 'REVOKED',
        result: toWireException(new TaskRevokedError(reason)),
        traceback: null,
        children: [],
      });
    }
    if (!isAcknowledged) await delivery.ack();
    await announceRevoked(headers, reason, null, logger);
  }

  /** A result that is no data, or that Redis takes from nobody, fails its task. Any other trouble is not the task's. */
  async #failUnstorable(request: Request, error: unknown): Promise<void> {
    if (!(error instanceof EncodeError) && !(error instanceof BackendError)) throw error;
    await this.#fail(request, failureOf(error), { kind: 'failure', error });
  }

  #logSuccess(request: Request, { runtimeSeconds, value }: SuccessOutcome): void {
    const { logger, hidesArguments } = this.#ports;
    if (!logger.isEnabled('info')) return;
    const result = hidesArguments ? HIDDEN : resultRepr(value);
    logger.info(sentences.taskSucceeded(request.name, request.id, runtimeSeconds, result), fields(request));
  }

  async #fail(request: Request, failure: Failure, ending: Ending = { kind: 'failure' }): Promise<void> {
    await this.#storeFailure(request, failure.exception, failure.traceback, failure.children);
    const isSettled = await this.#failsByHook(request, ending);
    if (!isSettled) await this.#endLate(request, request.type.acksOnFailure ? 'ack' : 'drop');
    this.#logFailure(request, failure);
  }

  #logFailure(request: Request, { exception, traceback, isExpected }: Failure): void {
    const { logger } = this.#ports;
    const text = exceptionRepr(exception);
    if (isExpected) logger.info(sentences.taskFailedExpectedly(request.name, request.id, text), fields(request));
    else logger.error(sentences.taskFailed(request.name, request.id, text, traceback), fields(request));
  }

  /**
   * Calls the hooks. True: one threw, and the request has been settled as failed by it. A stored SUCCESS stays; what was
   * stored else becomes FAILURE. Celery: the outermost `except` of trace_task, app/trace.py.
   */
  async #failsByHook(request: Request, ending: SuccessOutcome | Ending): Promise<boolean> {
    if (!hasEnd(request.type.definition)) return false;
    const { finish, logger } = this.#ports;
    const failure = await finish(request, ending);
    if (failure === null) return false;
    if ('runtimeSeconds' in ending && failure.hook === 'afterReturn') this.#logSuccess(request, ending);
    const stored: Failure = { ...failure, exception: toWire(failure.exception) };
    await this.#storeFailure(request, stored.exception, stored.traceback);
    const second = await finish(request, { kind: 'hook-failure' });
    await this.#endLate(request, request.type.acksOnFailure ? 'ack' : 'drop');
    this.#logFailure(request, stored);
    if (second !== null) {
      const text = exceptionRepr(toWire(second.exception));
      logger.error(
        `Task ${request.name}[${request.id}]: its onFailure raised ${text} when told of that\n${second.traceback ?? ''}`,
        fields(request),
      );
    }
    return true;
  }

  async #retry(request: Request, outcome: RetryOutcome): Promise<void> {
    const { logger, sendRetry } = this.#ports;
    try {
      // The next attempt first: a process that dies in between leaves a task too many, not one too few.
      await sendRetry(request, outcome);
    } catch (error) {
      return this.#retryNotSent(request, error);
    }
    await this.#store(request, {
      state: 'RETRY',
      result: outcome.cause === null ? null : toWire(outcome.cause),
      traceback: outcome.traceback,
      children: [...(outcome.children ?? []), resultTuple(request.id)],
    });
    if (await this.#failsByHook(request, { kind: 'retry' })) return;
    await this.#endLate(request, 'ack');
    logger.info(sentences.taskRetried(request.name, request.id, outcome.message), fields(request));
  }

  /**
   * Differs from Celery, which rejects the message and stores nothing: what can be sent later runs again if it can be put
   * back, and anything else is a failure that whoever waits for the task hears of.
   */
  async #retryNotSent(request: Request, error: unknown): Promise<void> {
    const isPermanent = error instanceof EncodeError || error instanceof ConfigError;
    if (isPermanent || request.isAcknowledged) return this.#fail(request, failureOf(error), { kind: 'failure', error });
    await this.#endLate(request, 'requeue');
    const text = exceptionRepr(toWireException(error));
    this.#ports.logger.error(
      `Task ${request.name}[${request.id}] was put back: its retry could not be sent: ${text}`,
      fields(request),
    );
  }

  async #storeFailure(
    request: Request,
    exception: WireException,
    traceback: string | null,
    children?: readonly unknown[],
  ): Promise<void> {
    await this.#store(request, { state: 'FAILURE', result: exception, traceback, children });
  }

  #store(request: Request, outcome: StateToStore): Promise<void> | undefined {
    const { type, headers } = request;
    const policy = { ignoreResult: request.ignoresResult, storeErrorsEvenIfIgnored: type.storeErrorsEvenIfIgnored };
    if (!shouldStore(outcome.state, policy)) return undefined;
    const record: ResultRecord = {
      taskId: headers.id,
      state: outcome.state,
      result: outcome.result,
      groupId: headers.group,
      parentId: headers.parentId,
    };
    if (outcome.traceback !== undefined) record.traceback = outcome.traceback;
    if (outcome.children !== undefined) record.children = outcome.children;
    if (!type.resultExtended) return this.#ports.backend.store(record, type.storeOptions);
    return this.#storeExtended(request, record);
  }

  /** The handler may have put into its arguments what is no data: then their repr is stored. */
  async #storeExtended(request: Request, record: ResultRecord): Promise<void> {
    const { backend } = this.#ports;
    record.extended = extended(request);
    try {
      await backend.store(record, request.type.storeOptions);
    } catch (error) {
      if (!(error instanceof EncodeError) || record.state === 'SUCCESS') throw error;
      const { args, kwargs } = record.extended;
      record.extended = { ...record.extended, args: saferepr(args), kwargs: saferepr(kwargs) };
      await backend.store(record, request.type.storeOptions);
    }
  }

  /** Ends the hold of a message that acknowledges late. `drop`: rejected for good, which on Redis is an acknowledgement. */
  async #endLate(request: Request, verb: 'ack' | 'drop' | 'requeue'): Promise<void> {
    if (request.isAcknowledged) return;
    request.isAcknowledged = true;
    await (verb === 'requeue' ? request.delivery.requeue() : request.delivery.ack());
  }
}

type StateToStore = Pick<ResultRecord, 'state' | 'result' | 'traceback'> & {
  readonly children?: readonly unknown[] | undefined;
};

/** A failure as it is stored. */
interface Failure {
  readonly exception: WireException;
  readonly traceback: string | null;
  readonly isExpected?: boolean;
  readonly children?: readonly unknown[] | undefined;
}

function failureOf(error: unknown): Failure {
  return { exception: toWireException(error), traceback: stackOf(error) };
}

function workerLost({ signal, exitCode, pid }: LostOutcome): PythonError {
  const how = signal === null ? `exitcode ${exitCode ?? 'unknown'}` : `signal ${signal}`;
  const text = `Worker exited prematurely: ${how} Job: ${pid}.`;
  return new PythonError('WorkerLostError', [text], { module: 'billiard.exceptions' });
}

/** Celery: Task.resultrepr_maxsize, 1024. Results that are not stored may be anything. */
function resultRepr(value: unknown): string {
  try {
    return saferepr(value);
  } catch {
    return `<${typeof value}>`;
  }
}

function stackOf(error: unknown): string | null {
  return error instanceof Error ? (error.stack ?? null) : null;
}

/** As Celery prints the exception: `Reject('no', requeue=False)`. */
function rejectRepr(reason: string | null, requeue: boolean): string {
  return `Reject(${pyRepr(reason)}, requeue=${requeue ? 'True' : 'False'})`;
}

function toWire({ excType, excModule, excArgs }: ErrorIdentity): WireException {
  return { exc_type: excType, exc_message: excArgs, exc_module: excModule };
}

/** What `result_extended` adds to a stored state. */
function extended({ headers, args, kwargs, hostname, deliveryInfo }: Request): ExtendedMeta {
  return {
    name: headers.task,
    args,
    kwargs,
    worker: hostname,
    retries: headers.retries,
    queue: deliveryInfo.routingKey,
    stampedHeaders: headers.stampedHeaders,
    stamps: headers.stamps,
  };
}

function identity(headers: TaskHeaders): { taskId: string; groupId: string | null; parentId: string | null } {
  return { taskId: headers.id, groupId: headers.group, parentId: headers.parentId };
}

function fields(request: Request): Record<string, unknown> {
  const correlation = request.envelope.properties['correlation_id'];
  return { task_id: request.id, task_name: request.name, correlation_id: correlation ?? request.id };
}
