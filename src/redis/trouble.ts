/** Tells Redis' refusals from a connection's trouble, and those that heal by waiting from those that do not. */
import { RedisReplyError } from '../errors.ts';

/** The server is up but can't write now: full, a replica after a failover, loading, failing to save, busy. */
const HEALING = new Set([
  'OOM',
  'READONLY',
  'LOADING',
  'MISCONF',
  'NOREPLICAS',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'BUSY',
]);

/** Whether an error reply, or the text of one that a script passes on, goes away by itself or by an operator's hand. */
export function heals(reply: string): boolean {
  return HEALING.has(/^-?([A-Z]+)\b/.exec(reply)?.[1] ?? '');
}

/** Whether the same command may succeed later: anything but a lasting refusal, the loss of the connection included. */
export function mayHeal(error: unknown): boolean {
  return !(error instanceof RedisReplyError) || heals(error.reply);
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
