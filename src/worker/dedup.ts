/**
 * `worker_deduplicate_successful_tasks`: a message delivered again is not run again when its task has succeeded, here or,
 * as the result backend knows, elsewhere. Counterpart: build_tracer in celery/app/trace.py, 5.6.3. Asked for redelivered
 * messages of late-acknowledged tasks only.
 */
import type { Backend } from '../backend/backend.ts';
import type { Logger } from '../log.ts';
import type { LimitedSet } from '../util/limited-set.ts';
import type { Request } from './request.ts';

export interface DeduplicationPorts {
  readonly backend: Backend;
  /** Ids of tasks that succeeded in this worker. */
  readonly successful: LimitedSet;
  readonly logger: Logger;
}

export async function hasSucceededBefore(request: Request, ports: DeduplicationPorts): Promise<boolean> {
  const { backend, successful, logger } = ports;
  const { id, name } = request;
  if (!successful.has(id)) {
    if (!backend.isEnabled) return false;
    let status: string;
    try {
      ({ status } = await backend.fetch(id));
    } catch (error) {
      // As Celery: what cannot be known is run.
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn(`Task ${name}[${id}] is delivered again, and its result cannot be read: it runs again (${reason})`);
      return false;
    }
    if (status !== 'SUCCESS') return false;
    successful.add(id);
  }
  logger.info(`Task ${name}[${id}] Task already completed successfully.`, { task_id: id, task_name: name });
  return true;
}
