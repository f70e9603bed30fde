/**
 * `task_routes`: where tasks go that do not say it themselves. Counterpart: celery/app/routes.py MapRoute, Router and
 * prepare, 5.6.3. The setting is read once, and what it means for a task name is worked out once.
 *
 * Differs from Celery: a router is a function, not the name of one; there is nothing to import it from.
 */
import { camelCase } from '../config/table.ts';
import { ConfigError } from '../errors.ts';
import { globToRegExp } from '../util/glob.ts';
import { nearestName } from '../util/nearest.ts';

/** What a route may say; Celery's snake_case names are read too. */
export interface Route {
  readonly queue?: string;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly priority?: number;
  readonly serializer?: string;
  readonly compression?: string;
  readonly deliveryMode?: number | 'transient' | 'persistent';
}

/** What a function among the routes is called with; it answers a queue, a route, or null to let the next one decide. */
export type Router = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
) => string | Route | null | undefined;

interface Call {
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
}

/** Decides by the name alone, or not at all. */
type ByName = (name: string) => Route | undefined;
type Entry = { readonly byName: ByName } | { readonly router: Router };

/** Routes by name are remembered for so many names; whoever makes up names as it goes does not fill the memory. */
const REMEMBERED = 10_000;

const KINDS: Readonly<Record<keyof Route, 'text' | 'number' | 'deliveryMode'>> = {
  queue: 'text',
  exchange: 'text',
  routingKey: 'text',
  priority: 'number',
  serializer: 'text',
  compression: 'text',
  deliveryMode: 'deliveryMode',
};

export class Routes {
  readonly #entries: readonly Entry[];
  /** What a task's name leaves of the entries: functions to ask, and at most one route, the last. */
  readonly #steps = new Map<string, readonly (Router | Route)[]>();

  /** @throws ConfigError for anything that is no route. */
  constructor(setting: unknown) {
    this.#entries = readRoutes(setting);
  }

  /**
   * The options with what the routes add; what the caller or the task itself says holds. Celery: Router.route.
   *
   * @throws ConfigError when a function answers something that is no route; what it throws comes through.
   */
  apply<T extends Call>(name: string, options: T): T {
    if (this.#entries.length === 0) return options;
    const route = this.#lookUp(name, options);
    if (route === undefined) return options;
    const merged: Record<string, unknown> = { ...route };
    // Celery: lpmerge, what is None does not count.
    for (const [key, value] of Object.entries(options)) {
      if ((value !== undefined && value !== null) || !(key in route)) merged[key] = value;
    }
    return merged as T;
  }

  #lookUp(name: string, options: Call): Route | undefined {
    for (const step of this.#stepsOf(name)) {
      if (typeof step !== 'function') return step;
      const answer: unknown = step(
        name,
        options.args ?? [],
        options.kwargs ?? {},
        options as Readonly<Record<string, unknown>>,
      );
      if (answer !== null && answer !== undefined) return readRoute(answer, `the router for task "${name}"`);
    }
    return undefined;
  }

  #stepsOf(name: string): readonly (Router | Route)[] {
    const known = this.#steps.get(name);
    if (known !== undefined) return known;
    const steps: (Router | Route)[] = [];
    for (const entry of this.#entries) {
      if ('router' in entry) {
        steps.push(entry.router);
        continue;
      }
      const route = entry.byName(name);
      if (route === undefined) continue;
      steps.push(route);
      break;
    }
    if (this.#steps.size >= REMEMBERED) this.#steps.clear();
    this.#steps.set(name, steps);
    return steps;
  }
}

/** One router or a list of them. Celery: prepare. */
function readRoutes(setting: unknown): Entry[] {
  if (setting === undefined || setting === null) return [];
  // [['feed.*', 'feeds']] is a list of pairs, which Celery wants within another list; nobody can mean anything else.
  const entries: unknown[] = Array.isArray(setting) && !isPair(setting[0]) ? setting : [setting];
  return entries.map((entry) => {
    if (typeof entry === 'function') return { router: entry as Router };
    if (typeof entry === 'string') {
      throw new ConfigError(`task_routes: give the router itself, not its name ${JSON.stringify(entry)}`);
    }
    if (typeof entry !== 'object' || entry === null) {
      throw new ConfigError(
        `task_routes must be a dict of task names or patterns, a function, or a list of those, not ${shown(entry)}`,
      );
    }
    const pairs: unknown[] = Array.isArray(entry) ? entry : [...(entry instanceof Map ? entry : Object.entries(entry))];
    return { byName: mapRoute(pairs) };
  });
}

/** A name itself comes before patterns, and those in the order they are written. Celery: MapRoute. */
function mapRoute(pairs: readonly unknown[]): ByName {
  const exact = new Map<string, Route>();
  const patterns: { readonly pattern: RegExp; readonly route: Route }[] = [];
  for (const pair of pairs) {
    if (!isPair(pair)) throw new ConfigError(`task_routes: ${shown(pair)} is no pair of a task name and a route`);
    const [key, value] = pair;
    const route = readRoute(value, `task_routes, ${key instanceof RegExp ? String(key) : JSON.stringify(key)}`);
    if (key instanceof RegExp) {
      // Python's `match`: from the beginning. State (g, y) would make every other look fail.
      patterns.push({ pattern: new RegExp(`^(?:${key.source})`, key.flags.replace(/[gy]/g, '')), route });
    } else if (key.includes('*')) patterns.push({ pattern: globToRegExp(key), route });
    else exact.set(key, route);
  }
  return (name) => exact.get(name) ?? patterns.find(({ pattern }) => pattern.test(name))?.route;
}

function isPair(value: unknown): value is [string | RegExp, unknown] {
  return Array.isArray(value) && value.length === 2 && (typeof value[0] === 'string' || value[0] instanceof RegExp);
}

function readRoute(value: unknown, where: string): Route {
  if (typeof value === 'string') return { queue: value };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(
      `${where}: a route is a queue's name or a dict with queue, routing_key ..., not ${shown(value)}`,
    );
  }
  const route: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value) as [string, unknown][]) {
    if (given === undefined || given === null) continue;
    const name = camelCase(key);
    if (!Object.hasOwn(KINDS, name)) {
      const nearest = nearestName(name, Object.keys(KINDS));
      throw new ConfigError(
        `${where}: a route has no field "${key}"${nearest === null ? ` (known: ${Object.keys(KINDS).join(', ')})` : `, did you mean "${nearest}"?`}`,
      );
    }
    const kind = KINDS[name as keyof Route];
    const fits =
      kind === 'text'
        ? typeof given === 'string'
        : kind === 'number'
          ? Number.isInteger(given)
          : given === 1 || given === 2 || given === 'transient' || given === 'persistent';
    if (!fits) {
      const expected = { text: 'a text', number: 'a whole number', deliveryMode: '1, 2, transient or persistent' };
      throw new ConfigError(`${where}: ${key} must be ${expected[kind]}, not ${shown(given)}`);
    }
    route[name] = given;
  }
  return Object.freeze(route);
}

function shown(value: unknown): string {
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? 'undefined' : text.slice(0, 80);
  } catch {
    return 'something that cannot be printed';
  }
}
