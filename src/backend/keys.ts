/**
 * Every key of the result backend. A meta is published on a channel of its key's own name.
 * Counterpart: celery/backends/base.py, BaseKeyValueStoreBackend, 5.6.3.
 * Invariant: same settings, same bytes as Python; the prefix rule differs from the broker's (no underscore there).
 */
import { BackendError } from '../errors.ts';

const TASK_PREFIX = 'celery-task-meta-';
const GROUP_PREFIX = 'celery-taskset-meta-';

export class ResultKeys {
  readonly taskPrefix: string;
  readonly groupPrefix: string;

  /**
   * @param globalKeyprefix `result_backend_transport_options.global_keyprefix`; an underscore is put behind it unless it
   *   ends with one of `: _ - .`
   */
  constructor(globalKeyprefix = '') {
    const prefix = globalKeyprefix === '' || /[:_\-.]$/.test(globalKeyprefix) ? globalKeyprefix : `${globalKeyprefix}_`;
    this.taskPrefix = prefix + TASK_PREFIX;
    this.groupPrefix = prefix + GROUP_PREFIX;
  }

  /** String: the meta of a task; also the channel it is published on. Throws BackendError for an empty id. */
  task(taskId: string): string {
    return this.taskPrefix + checked(taskId, 'task');
  }

  /** The task a channel or key belongs to, or null when it is no task's. */
  taskOf(key: string): string | null {
    return key.startsWith(this.taskPrefix) ? key.slice(this.taskPrefix.length) : null;
  }

  /** String: the saved structure of a group. Throws BackendError for an empty id. */
  group(groupId: string): string {
    return this.groupPrefix + checked(groupId, 'group');
  }

  /** Sorted set (a list with `result_chord_ordered: false`): the part returns of a chord's header. */
  chordParts(groupId: string): string {
    return `${this.group(groupId)}.j`;
  }

  /** Integer: how many members `add_to_chord` added to the size. */
  chordAdded(groupId: string): string {
    return `${this.group(groupId)}.t`;
  }

  /** Integer: the size of a chord's header. */
  chordSize(groupId: string): string {
    return `${this.group(groupId)}.s`;
  }
}

/** Celery refuses an empty id too: its key would be shared by everything without an id. */
function checked(id: string, what: string): string {
  // Ids come from messages; a number or null there must not become the key "celery-task-meta-null".
  if (typeof id !== 'string' || id === '') throw new BackendError(`the ${what} id must be a string that is not empty`);
  return id;
}
