/**
 * From `applyAsync` options to a published message. Counterparts: celery/app/base.py Celery.send_task and
 * celery/app/amqp.py (Router, send_task_message), 5.6.3.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Producer } from '../broker/producer.ts';
import type { Bindings } from '../broker/bindings.ts';
import type { Queues } from '../broker/queues.ts';
import { deliveryModeOf } from '../broker/read-queue.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import { HIDDEN, type Logger } from '../log.ts';
import { compress } from '../protocol/compression.ts';
import type { Envelope } from '../protocol/envelope.ts';
import { anonNodename } from '../protocol/nodename.ts';
import { resultTuple } from '../protocol/result-meta.ts';
import { encodePayload } from '../protocol/serializers.ts';
import { buildTaskMessage, type TaskMessage } from '../protocol/task-publish.ts';
import { signals } from '../signals/signals.ts';
import { findCurrentTask } from '../tasks/context.ts';
import { destinationOf, type Destination } from './destination.ts';
import type { Routes } from './routes.ts';

/** How a task is sent; Celery's `apply_async` options in camelCase. Left out: what the task, then the app's settings say. */
export interface SendOptions {
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** Seconds until it may start. */
  readonly countdown?: number;
  /** The moment it may start. */
  readonly eta?: Date | string;
  /** Seconds, or the moment, after which it must not start any more. */
  readonly expires?: number | Date | string | null;
  /** A queue of `task_queues`, or any name where missing queues may be made. */
  readonly queue?: string;
  /** With `routingKey`: an exchange to publish through, whatever the queue. */
  readonly exchange?: string;
  readonly routingKey?: string;
  /** 1 transient, 2 persistent; only told on, Redis keeps all messages alike. */
  readonly deliveryMode?: number | 'transient' | 'persistent';
  /** 0 is served first on Redis. */
  readonly priority?: number;
  readonly taskId?: string;
  readonly serializer?: string;
  readonly compression?: string;
  /** Seconds; hard limit. */
  readonly timeLimit?: number;
  /** Seconds. */
  readonly softTimeLimit?: number;
  readonly ignoreResult?: boolean;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly shadow?: string;
  readonly retries?: number;
  readonly groupId?: string;
  readonly groupIndex?: number;
  readonly rootId?: string;
  readonly parentId?: string;
  readonly replyTo?: string;
  readonly argsrepr?: string;
  readonly kwargsrepr?: string;
  /** Further message properties: app_id, message_id ... */
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** Functions, since settings are resolved and connections opened at first use. */
export interface SenderPorts {
  readonly config: () => Config;
  readonly queues: () => Queues;
  readonly routes: () => Routes;
  readonly producer: () => Producer;
  readonly bindings: () => Bindings;
  readonly logger: () => Logger;
}

/** What decides about a built message's way. */
export type PublishOptions = Pick<SendOptions, 'queue' | 'exchange' | 'routingKey' | 'priority' | 'deliveryMode'> & {
  readonly serializer: string;
  readonly compression?: string | undefined;
};

/** Celery gives each thread of a producer one; the RPC backend would listen there. */
const REPLY_TO = randomUUID();
const ORIGIN = anonNodename(process.pid, hostname());

/** `celeriac_hide_arguments`; what the caller gives for them is printed. */
export const HIDDEN_ARGUMENTS = { argsrepr: HIDDEN, kwargsrepr: HIDDEN } as const;

export class Sender {
  readonly #ports: SenderPorts;

  constructor(ports: SenderPorts) {
    this.#ports = ports;
  }

  /** Publishes a task; resolves to its id when Redis has it. Throws ConfigError or EncodeError before anything is sent. */
  async send(taskName: string, given: SendOptions = {}): Promise<string> {
    const config = this.#ports.config();
    const options = this.#ports.routes().apply(taskName, given);
    const { timeLimit, softTimeLimit } = options;
    if (timeLimit !== undefined && softTimeLimit !== undefined && softTimeLimit > timeLimit) {
      throw new ConfigError(
        `task "${taskName}": softTimeLimit (${softTimeLimit}) must not exceed timeLimit (${timeLimit})`,
      );
    }
    const id = options.taskId ?? randomUUID();
    // What a task sends belongs to it. Celery: Celery.send_task, add_to_parent.
    const sender = findCurrentTask();
    const parent = sender?.request;
    const inherited = config.taskInheritParentPriority ? (parent?.deliveryInfo.priority ?? undefined) : undefined;
    const priority = options.priority ?? inherited;
    // The delivery mode is decided with the queue.
    const { deliveryMode: _, ...fields } = options;
    const message = buildTaskMessage({
      ...(config.celeriacHideArguments ? HIDDEN_ARGUMENTS : {}),
      ...definedOnly(fields),
      id,
      task: taskName,
      origin: ORIGIN,
      rootId: options.rootId ?? parent?.rootId ?? parent?.id ?? null,
      parentId: options.parentId ?? parent?.id ?? null,
      replyTo: options.replyTo ?? REPLY_TO,
    });
    const serializer = options.serializer ?? config.taskSerializer;
    if (sender?.isCapturing === true) {
      encodePayload(message.body, serializer);
      const { args = [], kwargs = {}, ...rest } = options;
      sender.captureSend({ id, name: taskName, args, kwargs, options: rest });
      return id;
    }
    await this.publish(message, {
      ...options,
      ...(priority === undefined ? {} : { priority }),
      serializer,
      compression: options.compression ?? config.taskCompression ?? undefined,
    });
    sender?.addTrail(resultTuple(id));
    return id;
  }

  /** Publishes a message that is built already: a task's, or its retry. */
  async publish(message: TaskMessage, options: PublishOptions): Promise<void> {
    const { queues, producer, bindings, logger } = this.#ports;
    const destination = destinationOf(queues(), options);
    const { exchange, routingKey, queue } = destination;
    const { headers, body } = message;
    const { task, id } = headers;
    const { beforeTaskPublish, afterTaskPublish } = signals;
    const announced = beforeTaskPublish.isListened ? await this.#announce(message, destination, options) : options;
    // What cannot be serialised is refused before Redis is asked for anything.
    const envelope = await this.#envelope(message, destination, announced);
    // A broadcast's queue is of this process, which does not consume it: nobody would take its binding away.
    if (queue !== undefined && queue.isBroadcast !== true && !bindings().isDeclared(queue)) {
      await bindings().declare(queue);
    }
    const isQueued = await producer().publish(envelope, exchange, routingKey);
    if (afterTaskPublish.isListened) {
      await afterTaskPublish.send({ sender: String(task), body, headers, exchange, routingKey }, logger());
    }
    if (isQueued) return;
    logger().warn(
      `Task ${String(task)}[${String(id)}] is dropped: no queue is bound to exchange "${exchange}" for the routing key "${routingKey}"`,
    );
  }

  /** Lets receivers of the signal change the message, its priority among the properties. */
  async #announce(
    message: TaskMessage,
    { exchange, routingKey }: Destination,
    options: PublishOptions,
  ): Promise<PublishOptions> {
    const { headers, body, properties } = message;
    if (options.priority !== undefined) properties['priority'] = options.priority;
    const sender = String(headers['task']);
    const payload = { sender, body, exchange, routingKey, headers, properties };
    await signals.beforeTaskPublish.send(payload, this.#ports.logger());
    const { priority } = properties;
    return typeof priority === 'number' ? { ...options, priority } : options;
  }

  async #envelope(
    { headers, body, properties }: TaskMessage,
    { exchange, routingKey, queue }: Destination,
    route: PublishOptions,
  ): Promise<Envelope> {
    const config = this.#ports.config();
    const deliveryMode =
      deliveryModeOf(route.deliveryMode) ?? queue?.deliveryMode ?? deliveryModeOf(config.taskDefaultDeliveryMode);
    const payload = encodePayload(body, route.serializer);
    let data: Buffer = typeof payload.data === 'string' ? Buffer.from(payload.data) : payload.data;
    if (route.compression !== undefined) {
      const compressed = await compress(data, route.compression);
      headers['compression'] = compressed.contentType;
      data = compressed.data;
    }
    return {
      body: data.toString('base64'),
      contentType: payload.contentType,
      contentEncoding: payload.contentEncoding,
      headers,
      properties: {
        ...properties,
        ...(deliveryMode === undefined ? {} : { delivery_mode: deliveryMode }),
        delivery_info: { exchange, routing_key: routingKey },
        priority: route.priority ?? config.taskDefaultPriority ?? 0,
        body_encoding: 'base64',
        delivery_tag: randomUUID(),
      },
    };
  }
}

function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
