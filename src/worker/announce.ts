/**
 * The worker's own signals: each asks first whether anybody listens, so that it costs nothing where nobody does. Those with
 * a promise are waited for; the others lie on ways that do not wait. Counterparts: where celery/apps/worker.py,
 * worker/{worker,request,strategy}.py and worker/consumer/consumer.py, 5.6.3, send them. docs/signals.md.
 */
import type { Config } from '../config/config.ts';
import type { Delivery } from '../broker/delivery.ts';
import type { NotRegisteredError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { TaskHeaders } from '../protocol/task-message.ts';
import type { Signal, SignalPayload } from '../signals/signal.ts';
import { signals, type RefusedMessage, type WorkerInstance } from '../signals/signals.ts';
import type { Request } from './request.ts';

export type LifeSignal = 'workerInit' | 'workerReady' | 'workerShutdown';

export async function announceLife(name: LifeSignal, instance: WorkerInstance, logger: Logger): Promise<void> {
  await signals[name].send({ sender: instance.nodename, instance }, logger);
}

export async function announceSetup(instance: WorkerInstance, conf: Config, logger: Logger): Promise<void> {
  await signals.celerydAfterSetup.send({ sender: instance.nodename, instance, conf }, logger);
}

/** @param sig - the name of the process signal that asked for it; null: the program did. */
export async function announceShuttingDown(
  instance: WorkerInstance,
  mode: 'warm' | 'cold',
  sig: string | null,
  logger: Logger,
): Promise<void> {
  const how = mode === 'warm' ? 'Warm' : 'Cold';
  const exitcode = mode === 'warm' ? 0 : 1;
  await signals.workerShuttingDown.send({ sender: instance.nodename, sig, how, exitcode }, logger);
}

export function announceReceived(request: TaskHeaders, logger: Logger): void {
  if (!signals.taskReceived.isListened) return;
  inPassing(signals.taskReceived, { sender: request.task, request }, logger);
}

export function announceRevoked(
  request: TaskHeaders,
  reason: 'revoked' | 'expired' | 'terminated',
  signum: number | null,
  logger: Logger,
): Promise<unknown> | undefined {
  if (!signals.taskRevoked.isListened) return undefined;
  const terminated = reason === 'terminated';
  const expired = reason === 'expired';
  return signals.taskRevoked.send({ sender: request.task, request, terminated, signum, expired }, logger);
}

/** A failure of which the run knows nothing: it was ended by force, or what it returned cannot be stored. */
export function announceFailure(
  { headers, args, kwargs }: Request,
  exception: unknown,
  logger: Logger,
): Promise<unknown> | undefined {
  if (!signals.taskFailure.isListened) return undefined;
  const payload = { sender: headers.task, taskId: headers.id, task: null, exception, args, kwargs, traceback: null };
  return signals.taskFailure.send(payload, logger);
}

export function announceRejected(delivery: Delivery, exc: unknown, logger: Logger): void {
  if (!signals.taskRejected.isListened) return;
  inPassing(signals.taskRejected, { sender: null, message: refused(delivery), exc }, logger);
}

export function announceUnknown(
  delivery: Delivery,
  { task, id }: Pick<TaskHeaders, 'task' | 'id'>,
  exc: NotRegisteredError,
  logger: Logger,
): void {
  if (!signals.taskUnknown.isListened) return;
  inPassing(signals.taskUnknown, { sender: task, message: refused(delivery), exc, name: task, id }, logger);
}

export function announceInternalError({ headers, args, kwargs }: Request, exception: unknown, logger: Logger): void {
  if (!signals.taskInternalError.isListened) return;
  const payload = { sender: headers.task, taskId: headers.id, args, kwargs, exception };
  inPassing(signals.taskInternalError, payload, logger);
}

/** `send` never rejects. */
function inPassing<Payload extends SignalPayload>(signal: Signal<Payload>, payload: Payload, logger: Logger): void {
  void signal.send(payload, logger);
}

function refused({ queue, raw }: Delivery): RefusedMessage {
  return { queue, raw };
}
