/**
 * One message accepted for execution, from its receipt to its settlement. Counterpart: celery/worker/request.py Request,
 * 5.6.3. The life of a request:
 *
 *   received -> reserved -> accepted -> running -> settled        (dispatcher.ts, settle.ts)
 *        \-> revoked | expired | parked                           (strategy.ts; again when a slot frees)
 */
import type { Delivery } from '../broker/delivery.ts';
import type { Envelope } from '../protocol/envelope.ts';
import type { TaskBody, TaskHeaders } from '../protocol/task-message.ts';
import type { DeliveryInfo, TaskRequest } from '../tasks/request.ts';
import type { TaskType } from './task-type.ts';

export class Request {
  readonly type: TaskType;
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  readonly headers: TaskHeaders;
  readonly body: TaskBody;
  /** Unix time in milliseconds after which it must not start; null: none. */
  readonly expiresAtMs: number | null;
  readonly hostname: string;
  /** Its signal tells the task to end. Cheap until the signal is asked for. */
  readonly controller = new AbortController();
  isAcknowledged = false;
  /** Unix time in seconds when a slot took it; null before. */
  startedAt: number | null = null;

  constructor(
    fields: Pick<Request, 'type' | 'delivery' | 'envelope' | 'headers' | 'body' | 'expiresAtMs' | 'hostname'>,
  ) {
    this.type = fields.type;
    this.delivery = fields.delivery;
    this.envelope = fields.envelope;
    this.headers = fields.headers;
    this.body = fields.body;
    this.expiresAtMs = fields.expiresAtMs;
    this.hostname = fields.hostname;
  }

  get id(): string {
    return this.headers.id;
  }

  /** What monitors and logs call it. */
  get name(): string {
    return this.headers.shadow ?? this.headers.task;
  }

  get args(): readonly unknown[] {
    return this.body.args;
  }

  get kwargs(): Readonly<Record<string, unknown>> {
    return this.body.kwargs;
  }

  /** The message's own word first, the task type's else. Celery: Request.ignore_result. */
  get ignoresResult(): boolean {
    return this.headers.ignoreResult ?? this.type.ignoreResult;
  }

  get deliveryInfo(): DeliveryInfo {
    const { properties } = this.envelope;
    const info = (properties['delivery_info'] ?? {}) as Record<string, unknown>;
    const priority = properties['priority'];
    return {
      exchange: typeof info['exchange'] === 'string' ? info['exchange'] : '',
      routingKey: typeof info['routing_key'] === 'string' ? info['routing_key'] : this.delivery.queue,
      priority: typeof priority === 'number' ? priority : null,
      redelivered: info['redelivered'] === true,
    };
  }

  isExpired(nowMs: number): boolean {
    return this.expiresAtMs !== null && nowMs > this.expiresAtMs;
  }

  /** As task code sees it. */
  toTaskRequest(): TaskRequest {
    const { headers, body, envelope } = this;
    const { properties } = envelope;
    const deliveryInfo = this.deliveryInfo;
    return {
      id: headers.id,
      task: headers.task,
      args: body.args,
      kwargs: body.kwargs,
      retries: headers.retries,
      eta: headers.eta,
      expires: headers.expires === null ? null : String(headers.expires),
      rootId: headers.rootId,
      parentId: headers.parentId,
      group: headers.group,
      groupIndex: headers.groupIndex,
      chord: body.embed.chord,
      chain: body.embed.chain,
      callbacks: body.embed.callbacks,
      errbacks: body.embed.errbacks,
      shadow: headers.shadow,
      timeLimit: headers.timelimit.hard,
      softTimeLimit: headers.timelimit.soft,
      ignoreResult: headers.ignoreResult ?? null,
      origin: headers.origin,
      argsrepr: headers.argsrepr,
      kwargsrepr: headers.kwargsrepr,
      correlationId: textOrNull(properties['correlation_id']),
      replyTo: textOrNull(properties['reply_to']),
      headers: headers.custom,
      properties,
      deliveryInfo,
      redelivered: deliveryInfo.redelivered,
      replacedTaskNesting: headers.replacedTaskNesting,
      stamps: headers.stamps,
      stampedHeaders: headers.stampedHeaders,
      hostname: this.hostname,
      isEager: false,
      calledDirectly: false,
    };
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
