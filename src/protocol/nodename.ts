/**
 * Names of workers and clients: `celery@host`, and the %-abbreviations of -n, --logfile and --pidfile.
 * Counterpart: celery/utils/nodenames.py, 5.6.3. Host name and pid come in as arguments: this layer asks nobody.
 */
import { ConfigError } from '../errors.ts';

export const NODENAME_SEPARATOR = '@';
export const DEFAULT_NODENAME = 'celery';

/** `nodename('w1', 'h.example.com')` is `w1@h.example.com`. */
export function nodename(name: string, host: string): string {
  return `${name}${NODENAME_SEPARATOR}${host}`;
}

/** Name of a process that is no worker, as in the `origin` header: `gen<pid>@<host>`. */
export function anonNodename(pid: number, host: string, prefix = 'gen'): string {
  return nodename(`${prefix}${String(pid)}`, host);
}

/** Splits at the first `@`; without one the whole is the host and the name is null. */
export function nodesplit(node: string): { name: string | null; host: string } {
  const at = node.indexOf(NODENAME_SEPARATOR);
  return at < 0 ? { name: null, host: node } : { name: node.slice(0, at), host: node.slice(at + 1) };
}

/** Fills what is missing of a node name: `''` and `@` give `celery@<host>`, `w1@` gives `w1@<host>`, `h` gives `celery@h`. */
export function defaultNodename(node: string | null | undefined, host: string): string {
  const given = nodesplit(node ?? '');
  return nodename(given.name || DEFAULT_NODENAME, given.host || host);
}

export interface HostFormat {
  /** Full host name: `%h`; what stands behind its first dot is `%d`. */
  host: string;
  /** `%n`; the host's first label when absent. */
  name?: string;
  /** `%p`, the full node name; unknown where absent. */
  node?: string;
  /** Index of the pool process: `%i`, and `%I` with a dash before it. 0 or absent in the main process. */
  processIndex?: number;
}

/**
 * Expands `%h %n %d %i %I %p`. `%%` is left as it is, as Celery leaves it.
 * @throws ConfigError for any other letter, as Celery does.
 */
export function hostFormat(template: string, format: HostFormat): string {
  const dot = format.host.indexOf('.');
  const index = format.processIndex ? String(format.processIndex) : '';
  const keys: Readonly<Record<string, string | undefined>> = {
    __proto__: null as never,
    h: format.host,
    n: format.name || (dot < 0 ? format.host : format.host.slice(0, dot)),
    d: dot < 0 ? '' : format.host.slice(dot + 1),
    i: index || '0',
    I: index && `-${index}`,
    p: format.node,
  };
  return template.replace(/%(\w)/g, (match, key: string) => {
    const value = keys[key];
    if (value === undefined)
      throw new ConfigError(`unknown abbreviation ${match} in "${template}" (known: %h %n %d %i %I %p)`);
    return value;
  });
}

/** Expands a template for a worker: `nodeFormat('%n%I.log', 'w1@host', 2)` is `w1-2.log`. */
export function nodeFormat(template: string, node: string, processIndex = 0): string {
  const { name, host } = nodesplit(node);
  return hostFormat(template, { host, name: name || DEFAULT_NODENAME, node, processIndex });
}

/** The node name a worker takes from its -n option: defaults filled in, then abbreviations expanded. */
export function workerNodename(option: string | null | undefined, host: string): string {
  return hostFormat(defaultNodename(option, host), { host });
}
