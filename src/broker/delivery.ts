import { IllegalStateError } from '../errors.ts';

/**
 * Whoever keeps messages while we have them: `unacked` in Redis (unacked.ts), or for broadcasts, which nobody stores, just
 * our memory (fanout-consumer.ts). Each verb answers whether the message was still ours.
 */
export interface Holder {
  /** The instance it is held under; a process that lost its membership goes on under a new one. */
  readonly instance: string;
  ack(field: string): Promise<boolean>;
  requeue(field: string): Promise<boolean>;
  park(field: string, queue: string, etaSeconds: number): Promise<boolean>;
  quarantine(field: string, queue: string, reason: string): Promise<boolean>;
}

/**
 * A message in our hands. Exactly one of ack, requeue, putBack, park and quarantine ends the hold, exactly once.
 * Each answers whether the message was still ours; false means the lease was lost and nothing was touched.
 */
export class Delivery {
  /** Its field in `unacked`: the delivery tag, or a fresh name where the tag was taken. */
  readonly field: string;
  readonly queue: string;
  /** The envelope as it came, undecoded. */
  readonly raw: string;
  /** It was parked, and its time has come by Redis' clock, whatever ours says. */
  readonly isDue: boolean;
  readonly #holder: Holder;
  #settled: string | undefined;

  constructor(holder: Holder, field: string, queue: string, raw: string, isDue = false) {
    this.#holder = holder;
    this.field = field;
    this.queue = queue;
    this.raw = raw;
    this.isDue = isDue;
  }

  get isSettled(): boolean {
    return this.#settled !== undefined;
  }

  get instance(): string {
    return this.#holder.instance;
  }

  ack(): Promise<boolean> {
    this.#settle('acknowledged');
    return this.#holder.ack(this.field);
  }

  requeue(): Promise<boolean> {
    this.#settle('requeued');
    return this.#holder.requeue(this.field);
  }

  park(etaSeconds: number): Promise<boolean> {
    this.#settle('parked');
    return this.#holder.park(this.field, this.queue, etaSeconds);
  }

  quarantine(reason: string): Promise<boolean> {
    this.#settle('quarantined');
    return this.#holder.quarantine(this.field, this.queue, reason);
  }

  /** Claims the right to put it back together with others: see Unacked.putBack. */
  release(): string {
    this.#settle('put back');
    return this.field;
  }

  #settle(how: string): void {
    if (this.#settled !== undefined) {
      throw new IllegalStateError(
        `delivery ${this.field} of queue "${this.queue}" is already ${this.#settled}, it cannot be ${how}`,
      );
    }
    this.#settled = how;
  }
}
