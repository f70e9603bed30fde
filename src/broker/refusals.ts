/** What Redis refuses, in words that say what to do. */
import { RedisReplyError } from '../errors.ts';
import type { BrokerKeys } from './keys.ts';

/** The rule an ACL user needs besides kombu's own keys. */
export function aclRule(keys: BrokerKeys): string {
  return `~${keys.prefix}* &${keys.prefix}* +@all -@dangerous +client|id +client|unblock +info`;
}

export function explainRefusal(error: unknown, keys: BrokerKeys): string {
  const message = error instanceof Error ? error.message : String(error);
  switch (error instanceof RedisReplyError ? error.reply : '') {
    case 'NOPERM':
      return `${message}. The Redis user may not do this; celeriac needs the queues' keys, kombu's keys and "${keys.prefix}celeriac:*", for example: ACL SETUSER <name> ${aclRule(keys)}`;
    case 'OOM':
      return `${message}: raise maxmemory, or let consumers empty the queues`;
    case 'WRONGTYPE':
      return `${message}. One of ${keys.unacked}, ${keys.unackedIndex} is used for something else: choose other keys by broker_transport_options (unacked_key, unacked_index_key), or another database`;
    default:
      return message;
  }
}

/** What makes two refusals one trouble, whichever command met it. */
export function kindOf(error: unknown): string {
  return error instanceof RedisReplyError ? error.reply : String(error);
}
