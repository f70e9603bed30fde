/**
 * What follows from an outcome: store, then acknowledge, then say so in the log. The order is Celery's (app/trace.py,
 * worker/request.py, 5.6.3): with late acknowledgement a message is given up only when its result is durable.
 *
 *   outcome     stored            late ack            early ack (done when it was accepted)
 *   success     SUCCESS           ack                 -
 *   failure     FAILURE           ack, or drop *      -
 *   retry       RETRY             ack, after the new message is in Redis
 *   ignored     nothing           ack                 -
 *   rejected    nothing           drop or requeue     -
 *   revoked     REVOKED           ack                 ack
 *   timeout     FAILURE           ack, or requeue *   -
 *   lost        FAILURE           ack (this side)     -            (* acks_on_failure_or_timeout off)
 *
 * If the process dies before the ack, the message is delivered again by whoever recovers it; a stored SUCCESS is then
 * never overwritten.
 */
import type { Backend } from '../backend/backend.ts';
import { shouldStore } from '../backend/should-store.ts';
import type { Delivery } from '../broker/delivery.ts';
import { EncodeError, TaskRevokedError } from '../errors.ts';
import { sentences, type Logger } from '../log.ts';
import type { ErrorIdentity } from '../protocol/error-identity.ts';
import { exceptionRepr, PythonError, toWireException, type WireException } from '../protocol/exceptions.ts';
import type { ExtendedMeta, ResultRecord } from '../protocol/result-meta.ts';
import { pyRepr } from '../protocol/python-repr.ts';
import type { TaskHeaders } from '../protocol/task-message.ts';
import type { Outcome, RetryOutcome } from '../tasks/outcome.ts';
import type { Request } from './request.ts';
import type { TaskType } from './task-type.ts';

export interface SettlementPorts {
  readonly backend: Backend;
  readonly logger: Logger;
  readonly hostname: string;
  /** Publishes the message of the next attempt. */
  readonly sendRetry: (request: Request, outcome: RetryOutcome) => Promise<void>;
}

export class Settlement {
  readonly #ports: SettlementPorts;

  constructor(ports: SettlementPorts) {
    this.#ports = ports;
  }

  /** Carries an outcome through. Rejects only when Redis refused for good, never because of the task. */
  async settle(request: Request, outcome: Outcome): Promise<void> {
    const { logger } = this.#ports;
    switch (outcome.kind) {
      case 'success': {
        try {
          await this.#store(request, { state: 'SUCCESS', result: outcome.value });
        } catch (error) {
          await this.#storeUnserializable(request, error);
        }
        if (!request.isAcknowledged) await this.#endLate(request, 'ack');
        if (logger.isEnabled('info')) {
          logger.info(
            sentences.taskSucceeded(request.name, request.id, outcome.runtimeSeconds, pyRepr(outcome.value)),
            fields(request),
          );
        }
        return;
      }
      case 'failure': {
        const exception = toWire(outcome.exception);
        await this.#storeFailure(request, exception, outcome.traceback);
        if (request.type.acksOnFailureOrTimeout) await this.#ackLate(request);
        else await this.#endLate(request, 'ack');
        const text = exceptionRepr(exception);
        if (outcome.isExpected)
          logger.info(sentences.taskFailedExpectedly(request.name, request.id, text), fields(request));
        else logger.error(sentences.taskFailed(request.name, request.id, text, outcome.traceback), fields(request));
        return;
      }
      case 'retry': {
        // The next attempt first: a process that dies in between leaves a task too many, not one too few.
        await this.#ports.sendRetry(request, outcome);
        await this.#store(request, {
          state: 'RETRY',
          result: outcome.cause === null ? null : toWire(outcome.cause),
          traceback: outcome.traceback,
          children: [[[request.id, null], null]],
        });
        await this.#ackLate(request);
        logger.info(sentences.taskRetried(request.name, request.id, outcome.message), fields(request));
        return;
      }
      case 'ignored':
        await this.#ackLate(request);
        logger.info(sentences.taskIgnored(request.name, request.id), fields(request));
        return;
      case 'rejected':
        await this.#endLate(request, outcome.requeue ? 'requeue' : 'ack');
        logger.warn(
          sentences.taskRejected(request.name, request.id, rejectRepr(outcome.reason, outcome.requeue)),
          fields(request),
        );
        return;
      case 'revoked':
        await this.revoke(request.delivery, request.headers, request.type, outcome.reason, request.isAcknowledged);
        return;
      case 'timeout': {
        const exception = toWireException(
          new PythonError('TimeLimitExceeded', [outcome.limitSeconds], { module: 'billiard.exceptions' }),
        );
        await this.#storeFailure(request, exception, null);
        if (request.type.acksOnFailureOrTimeout) await this.#ackLate(request);
        else await this.#endLate(request, 'requeue');
        logger.error(sentences.hardTimeLimit(request.name, request.id, outcome.limitSeconds), fields(request));
        return;
      }
      case 'lost': {
        const text = `Worker exited prematurely: ${outcome.signal === null ? `exitcode ${outcome.exitCode ?? 'unknown'}` : `signal ${outcome.signal}`} Job: ${outcome.pid}.`;
        await this.#storeFailure(
          request,
          toWireException(new PythonError('WorkerLostError', [text], { module: 'billiard.exceptions' })),
          null,
        );
        await this.#ackLate(request);
        logger.error(sentences.taskFailed(request.name, request.id, text, null), fields(request));
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
  }

  /** A result that is no data fails its task; any other trouble is not the task's. */
  async #storeUnserializable(request: Request, error: unknown): Promise<void> {
    if (!(error instanceof EncodeError)) throw error;
    this.#ports.logger.error(sentences.taskFailed(request.name, request.id, error.message, null), fields(request));
    await this.#storeFailure(request, toWireException(error), error.stack ?? null);
  }

  async #storeFailure(request: Request, exception: WireException, traceback: string | null): Promise<void> {
    await this.#store(request, { state: 'FAILURE', result: exception, traceback });
  }

  #store(request: Request, outcome: Omit<ResultRecord, 'taskId' | 'groupId' | 'parentId'>): Promise<void> | undefined {
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
    if (type.resultExtended) record.extended = extended(request);
    return this.#ports.backend.store(record, type.storeOptions);
  }

  #ackLate(request: Request): Promise<void> {
    return this.#endLate(request, 'ack');
  }

  async #endLate(request: Request, verb: 'ack' | 'requeue'): Promise<void> {
    if (request.isAcknowledged) return;
    request.isAcknowledged = true;
    await (verb === 'ack' ? request.delivery.ack() : request.delivery.requeue());
  }
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
  return { task_id: request.id, task_name: request.name };
}
