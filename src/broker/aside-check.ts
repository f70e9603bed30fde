/**
 * The full check of messages that Lua could not judge: what kombu could load and restore is admitted to `unacked`,
 * everything else goes to the quarantine, bytes kept. Until then they lie in the aside list, which any celeriac member
 * returns to the queues if this process dies.
 */
import type { Logger } from '../log.ts';
import { decodeEnvelope } from '../protocol/envelope.ts';
import { assertRestorable, normalizeHeaders } from '../protocol/redelivery.ts';
import type { RedisPort } from '../redis/port.ts';
import type { BrokerKeys } from './keys.ts';
import { ADMIT, CONDEMN } from './scripts/aside.ts';

export interface AsideCheckOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly maxMessageBytes: number;
  readonly quarantineMaxLength: number;
}

export interface Admitted {
  readonly field: string;
  readonly queue: string;
  readonly raw: string;
}

/** A message that may enter `unacked`, as bytes and as text. */
interface Sound {
  readonly bytes: Buffer;
  readonly raw: string;
  readonly tag: string;
}

/** Entries looked at in one go; each may be as large as a message gets. */
const CHUNK = 20;

export class AsideCheck {
  readonly #options: AsideCheckOptions;

  constructor(options: AsideCheckOptions) {
    this.#options = options;
  }

  /** Empties the aside list of `instance`; returns what was admitted. */
  async run(instance: string, queueOf: (list: string) => string): Promise<Admitted[]> {
    const { redis, keys } = this.#options;
    const admitted: Admitted[] = [];
    for (;;) {
      const entries = (await redis.commandBuffers('LRANGE', keys.aside(instance), -CHUNK, -1)) as Buffer[];
      if (entries.length === 0) return admitted;
      for (const entry of entries.reverse()) {
        const { list, message } = splitEntry(entry);
        const queue = queueOf(list);
        const verdict = this.#judge(message);
        if ('tag' in verdict) admitted.push(...(await this.#admit(instance, entry, queue, verdict)));
        else await this.#condemn(instance, entry, message, queue, verdict.reason);
      }
    }
  }

  #judge(message: Buffer): Sound | { readonly reason: string } {
    const { maxMessageBytes } = this.#options;
    if (message.length > maxMessageBytes) {
      return {
        reason: `the message has ${message.length} bytes, over celeriac_max_message_bytes (${maxMessageBytes})`,
      };
    }
    // The scan below looks for objects only: of other JSON it would tell no more than where it stopped.
    if (!/^\s*\{/.test(message.toString('latin1', 0, 1000)) && isJson(message))
      return { reason: 'the message is JSON, but no object' };
    try {
      // As latin1, so that bytes beyond ASCII pass through unchanged. Python runs messages with headers null, but loses
      // them when it restores them.
      const bytes = Buffer.from(normalizeHeaders(message.toString('latin1')), 'latin1');
      assertRestorable(bytes);
      const raw = bytes.toString();
      return { bytes, raw, tag: decodeEnvelope(raw).properties['delivery_tag'] as string };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async #admit(instance: string, entry: Buffer, queue: string, { bytes, raw, tag }: Sound): Promise<Admitted[]> {
    const { redis, keys } = this.#options;
    const fields = await redis.run(
      ADMIT,
      [keys.unacked, keys.unackedIndex, keys.held(instance), keys.aside(instance)],
      [entry, bytes, tag, JSON.stringify(queue)],
    );
    const [field] = fields as string[];
    return field === undefined || field === '' ? [] : [{ field, queue, raw }];
  }

  async #condemn(instance: string, entry: Buffer, message: Buffer, queue: string, reason: string): Promise<void> {
    const { redis, keys, logger, quarantineMaxLength } = this.#options;
    logger.critical(
      `Can't decode message of queue "${queue}": ${reason}. Its ${message.length} bytes are kept in ${keys.quarantine}`,
    );
    await redis.run(
      CONDEMN,
      [keys.aside(instance), keys.quarantine],
      [quarantineMaxLength, instance, entry, queue, reason, message],
    );
  }
}

function splitEntry(entry: Buffer): { list: string; message: Buffer } {
  const colon = entry.indexOf(':');
  const end = colon + 1 + Number(entry.toString('latin1', 0, colon));
  return { list: entry.toString('utf8', colon + 1, end), message: entry.subarray(end) };
}

function isJson(message: Buffer): boolean {
  try {
    JSON.parse(message.toString());
    return true;
  } catch {
    return false;
  }
}
