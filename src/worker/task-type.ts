/**
 * All that is the same for every request of a task type, worked out once. Counterpart: the closure over task attributes in
 * celery/worker/strategy.py default, 5.6.3.
 */
import type { StoreOptions } from '../backend/backend.ts';
import type { Config } from '../config/config.ts';
import { annotated } from '../tasks/annotations.ts';
import type { TaskDefinition } from '../tasks/task.ts';

export interface TaskType {
  readonly definition: TaskDefinition;
  readonly acksLate: boolean;
  readonly acksOnFailureOrTimeout: boolean;
  readonly ignoreResult: boolean;
  readonly storeErrorsEvenIfIgnored: boolean;
  readonly trackStarted: boolean;
  readonly resultExtended: boolean;
  /** How long its results are kept, where that is not the backend's to say. */
  readonly storeOptions: StoreOptions | undefined;
}

/** @throws ConfigError when `task_annotations` give the task options it cannot have. */
export function compileTaskType(registered: TaskDefinition, config: Config): TaskType {
  const definition = annotated(registered, config.taskAnnotations);
  const { options } = definition;
  return {
    definition,
    acksLate: options.acksLate ?? config.taskAcksLate,
    acksOnFailureOrTimeout: options.acksOnFailureOrTimeout ?? config.taskAcksOnFailureOrTimeout,
    ignoreResult: options.ignoreResult ?? config.taskIgnoreResult,
    storeErrorsEvenIfIgnored: options.storeErrorsEvenIfIgnored ?? config.taskStoreErrorsEvenIfIgnored,
    trackStarted: options.trackStarted ?? config.taskTrackStarted,
    resultExtended: config.resultExtended,
    storeOptions: options.resultExpires === undefined ? undefined : { expiresSeconds: options.resultExpires },
  };
}
