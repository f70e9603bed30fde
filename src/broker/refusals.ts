/** What Redis refuses, in words that say what to do. */
import type { BrokerKeys } from './keys.ts';

/** The rule an ACL user needs besides kombu's own keys. */
export function aclRule(keys: BrokerKeys): string {
  return `~${keys.prefix}* &${keys.prefix}* +@all -@dangerous +client|id +client|unblock +info`;
}

export function explainRefusal(error: unknown, keys: BrokerKeys): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/^NOPERM|\bNOPERM\b/.test(message)) {
    return `${message}. The Redis user may not do this; celeriac needs the queues' keys, kombu's keys and "${keys.prefix}celeriac:*", for example: ACL SETUSER <name> ${aclRule(keys)}`;
  }
  if (message.startsWith('OOM'))
    return `${message} Redis is out of memory: raise maxmemory, or let consumers empty the queues`;
  if (message.startsWith('WRONGTYPE')) {
    return `${message}. One of ${keys.unacked}, ${keys.unackedIndex} is used for something else: choose other keys by broker_transport_options, or another database`;
  }
  return message;
}
