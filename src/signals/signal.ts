/**
 * One signal: functions to be called when something happens. Counterpart: celery/utils/dispatch/signal.py Signal, 5.6.3.
 * Observers only: nothing of the worker's own way hangs on them. Whoever emits asks `isListened` first, so that a signal
 * without receivers costs the look at one length: no payload, no promise.
 *
 * Differs from Celery: receivers are held strongly (a function written in place would be collected at once), so there is no
 * `weak`; and a receiver may be asynchronous.
 */
import { inspect } from 'node:util';

/** What every payload has. */
export interface SignalPayload {
  /** Who it is about: the task's name, or the worker's node name; null where Celery sends None. */
  readonly sender: string | null;
}

export type Receiver<Payload extends SignalPayload> = (payload: Payload) => unknown;

export interface ConnectOptions {
  /** Only what this one sends: a task or its name, or a worker's node name. @defaultValue whoever */
  readonly sender?: string | { readonly name: string };
  /** Connects once for each of these, however often the module is loaded. @defaultValue the function itself */
  readonly dispatchUid?: string;
}

/** Where a failing receiver is reported. */
export interface SignalLogger {
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

interface Link {
  readonly receiver: Receiver<never>;
  readonly sender: string | null;
  readonly uid: unknown;
  readonly once: boolean;
}

/** Shared by all copies of the package in a process: a worker installed globally runs tasks that import a local one. */
const place = Symbol.for('celeriac.signals');
const existing = Reflect.get(globalThis, place) as Map<string, Link[]> | undefined;
const linksByName = existing ?? new Map<string, Link[]>();
if (existing === undefined) Object.defineProperty(globalThis, place, { value: linksByName });

export class Signal<Payload extends SignalPayload> {
  /** As in `signals.taskPrerun`. */
  readonly name: string;
  readonly #links: Link[];

  constructor(name: string) {
    this.name = name;
    this.#links = linksByName.get(name) ?? [];
    linksByName.set(name, this.#links);
  }

  /** Whether anybody would be called, whoever the sender. */
  get isListened(): boolean {
    return this.#links.length > 0;
  }

  /**
   * Calls `receiver` from now on. Connecting the same function (or `dispatchUid`) for the same sender again does nothing.
   *
   * @returns what takes it off again.
   * @throws TypeError when it is no function.
   */
  connect(receiver: Receiver<Payload>, options: ConnectOptions = {}): () => boolean {
    return this.#connect(receiver, options, false);
  }

  /** Calls `receiver` for the next time only. */
  once(receiver: Receiver<Payload>, options: ConnectOptions = {}): () => boolean {
    return this.#connect(receiver, options, true);
  }

  /** Takes a receiver off, given as it was connected. False: it was not. */
  disconnect(receiver: Receiver<Payload>, options: ConnectOptions = {}): boolean {
    const uid = options.dispatchUid ?? receiver;
    return this.#remove(this.#find(uid, senderName(options.sender)));
  }

  hasListeners(sender?: ConnectOptions['sender']): boolean {
    const wanted = senderName(sender);
    return this.#links.some((link) => link.sender === null || wanted === null || link.sender === wanted);
  }

  /**
   * Calls the receivers in the order they were connected, each when the one before is done; synchronous ones before this
   * returns. Never rejects: what a receiver throws is logged.
   *
   * @returns what those that did not fail returned.
   */
  async send(payload: Payload, logger: SignalLogger): Promise<readonly unknown[]> {
    const responses: unknown[] = [];
    for (const link of this.#links.slice()) {
      if (link.sender !== null && link.sender !== payload.sender) continue;
      // Taken off before the call: it may cause the same signal.
      if (link.once && !this.#remove(link)) continue;
      try {
        const response = (link.receiver as Receiver<Payload>)(payload);
        responses.push(isThenable(response) ? await response : response);
      } catch (error) {
        const who = link.receiver.name === '' ? 'A receiver' : `The receiver ${link.receiver.name}`;
        const [text, fields] = described(error);
        logger.error(`${who} of the signal ${this.name} failed: ${text}`, fields);
      }
    }
    return responses;
  }

  #connect(receiver: Receiver<Payload>, { sender, dispatchUid }: ConnectOptions, once: boolean): () => boolean {
    if (typeof receiver !== 'function') {
      throw new TypeError(`signals.${this.name} needs a function to call, not ${inspect(receiver, { depth: 0 })}`);
    }
    const uid = dispatchUid ?? receiver;
    const from = senderName(sender);
    let link = this.#find(uid, from);
    if (link === undefined) {
      link = { receiver, sender: from, uid, once };
      this.#links.push(link);
    }
    return () => this.#remove(link);
  }

  #find(uid: unknown, sender: string | null): Link | undefined {
    return this.#links.find((link) => link.uid === uid && link.sender === sender);
  }

  #remove(link: Link | undefined): boolean {
    const index = link === undefined ? -1 : this.#links.indexOf(link);
    if (index === -1) return false;
    this.#links.splice(index, 1);
    return true;
  }
}

function senderName(sender: ConnectOptions['sender']): string | null {
  return sender === undefined ? null : typeof sender === 'string' ? sender : sender.name;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Anything can be thrown, also what throws when it is looked at. */
function described(thrown: unknown): [text: string, fields: { readonly error?: Error }] {
  try {
    if (thrown instanceof Error) return [`${thrown.name}: ${thrown.message}`, { error: thrown }];
    return [inspect(thrown, { depth: 1 }), {}];
  } catch {
    return ['it threw something that cannot be shown', {}];
  }
}
