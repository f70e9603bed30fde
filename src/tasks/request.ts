/**
 * The request: one message accepted for execution, as task code sees it. Counterpart: celery/app/task.py, Context
 * (5.6.3). Plain data, so that it crosses a process border; the moments stay the text the producer sent, because a
 * retry sends them on unchanged.
 */
import { type ResultTuple } from '../protocol/result-meta.ts';

/** A signature as it travels in a message; the canvas gives it meaning. */
export type RequestSignature = Readonly<Record<string, unknown>>;

export interface DeliveryInfo {
  readonly exchange: string;
  readonly routingKey: string;
  readonly priority: number | null;
  readonly redelivered: boolean;
}

export interface TaskRequest {
  readonly id: string;
  /** The task's registered name. */
  readonly task: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** How often it was retried before this run; 0 in the first. */
  readonly retries: number;
  /** When it was to start at the earliest, ISO 8601. */
  readonly eta: string | null;
  /** When it was to start at the latest, ISO 8601. */
  readonly expires: string | null;
  /** The first task of the workflow this one belongs to. */
  readonly rootId: string | null;
  /** The task that sent this one. */
  readonly parentId: string | null;
  /** The group or chord it is a member of. */
  readonly group: string | null;
  /** Its place there. */
  readonly groupIndex: number | null;
  /** The body of the chord it is a header task of. */
  readonly chord: RequestSignature | null;
  /** The rest of its chain, the next task last. */
  readonly chain: readonly RequestSignature[] | null;
  /** What is to run with its result. */
  readonly callbacks: readonly RequestSignature[] | null;
  /** What is to run when it fails. */
  readonly errbacks: readonly RequestSignature[] | null;
  /** The name it is shown under in events and logs, if not its own. */
  readonly shadow: string | null;
  /** Seconds until it is ended by force. */
  readonly timeLimit: number | null;
  /** Seconds until it is asked to end. */
  readonly softTimeLimit: number | null;
  /** What the message says of storing the result; null: nothing, so the task's option holds. */
  readonly ignoreResult: boolean | null;
  /** Who sent it: `gen<pid>@<host>`. */
  readonly origin: string | null;
  readonly argsrepr: string | null;
  readonly kwargsrepr: string | null;
  readonly correlationId: string | null;
  readonly replyTo: string | null;
  /** Headers of the producer's own, without those of the protocol. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** The message's properties as they stand on the wire. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly deliveryInfo: DeliveryInfo;
  /** Delivered before, to a worker that did not finish it. */
  readonly redelivered: boolean;
  readonly replacedTaskNesting: number;
  readonly stamps: Readonly<Record<string, unknown>>;
  readonly stampedHeaders: readonly string[] | null;
  /** The node that runs it. */
  readonly hostname: string | null;
  /** Run in place by `apply()`, without a message. */
  readonly isEager: boolean;
  /** Called as a function (`task.run(...)`), without a message or a worker. */
  readonly calledDirectly: boolean;
  /** The tasks it has sent so far; undefined as long as there are none. Grows while it runs. */
  children?: ResultTuple[];
}

/** A request with everything at its default but what is given; for eager runs, direct calls and tests. */
export function createRequest(fields: Pick<TaskRequest, 'id' | 'task'> & Partial<TaskRequest>): TaskRequest {
  return {
    args: [],
    kwargs: {},
    retries: 0,
    eta: null,
    expires: null,
    rootId: fields.id,
    parentId: null,
    group: null,
    groupIndex: null,
    chord: null,
    chain: null,
    callbacks: null,
    errbacks: null,
    shadow: null,
    timeLimit: null,
    softTimeLimit: null,
    ignoreResult: null,
    origin: null,
    argsrepr: null,
    kwargsrepr: null,
    correlationId: fields.id,
    replyTo: null,
    headers: {},
    properties: {},
    deliveryInfo: { exchange: '', routingKey: '', priority: null, redelivered: false },
    redelivered: false,
    replacedTaskNesting: 0,
    stamps: {},
    stampedHeaders: null,
    hostname: null,
    isEager: false,
    calledDirectly: false,
    ...fields,
  };
}
