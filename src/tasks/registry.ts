/**
 * Task names to definitions. Counterpart: celery/app/registry.py. A Map, so that `__proto__` is a name like any other.
 */
import { NotRegisteredError } from '../errors.ts';
import { nearestName } from '../util/nearest.ts';
import { type TaskDefinition } from './task.ts';

export class TaskRegistry implements Iterable<TaskDefinition> {
  readonly #definitions = new Map<string, TaskDefinition>();
  readonly #onReplaced: (taskName: string) => void;

  /** @param onReplaced - told when a name that was taken gets another handler; the app logs a warning. */
  constructor(onReplaced: (taskName: string) => void = () => undefined) {
    this.#onReplaced = onReplaced;
  }

  /**
   * The last registration of a name holds. Differs from Celery: with lazily made tasks it keeps whichever of the two its
   * set of callbacks yields first, which is chance.
   */
  register(definition: TaskDefinition): void {
    const before = this.#definitions.get(definition.name);
    this.#definitions.set(definition.name, definition);
    if (before !== undefined && before.handler !== definition.handler) this.#onReplaced(definition.name);
  }

  unregister(name: string): boolean {
    return this.#definitions.delete(name);
  }

  has(name: string): boolean {
    return this.#definitions.has(name);
  }

  find(name: string): TaskDefinition | undefined {
    return this.#definitions.get(name);
  }

  /** @throws NotRegisteredError, which names what is registered under a similar name. */
  get(name: string): TaskDefinition {
    const definition = this.#definitions.get(name);
    if (definition === undefined) throw new NotRegisteredError(name, this.#similar(name));
    return definition;
  }

  /** Sorted, as `inspect registered` shows them. @param options.builtins - with Celery's own, `celery.*`. */
  names(options: { readonly builtins?: boolean } = {}): string[] {
    const names = [...this.#definitions.keys()].sort();
    return options.builtins === true ? names : names.filter((name) => !name.startsWith('celery.'));
  }

  get size(): number {
    return this.#definitions.size;
  }

  [Symbol.iterator](): IterableIterator<TaskDefinition> {
    return this.#definitions.values();
  }

  /** The nearest spelling, and names that differ in the module alone: `tasks.add` for `proj.tasks.add`. */
  #similar(name: string): string[] {
    const lastPart = name.slice(name.lastIndexOf('.') + 1);
    const similar = new Set<string>();
    const nearest = nearestName(name, this.#definitions.keys());
    if (nearest !== null) similar.add(nearest);
    for (const known of this.#definitions.keys()) {
      if (similar.size >= 3) break;
      if (known === lastPart || known.endsWith(`.${lastPart}`)) similar.add(known);
    }
    return [...similar];
  }
}
