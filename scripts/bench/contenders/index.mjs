/**
 * Everyone in the race, in the table's order. A contender is a plain object:
 * id and label; workload, whose fill, client and check it uses; pace, its share of the backlog; resultsAreReal, whether
 * results are held against the task's true answer; needsPython and needsBuild; command(), how its worker is started.
 */
import { bullmq } from './bullmq.mjs';
import { celeriac } from './celeriac.mjs';
import { celery } from './celery.mjs';
import { celeryNode } from './celery-node.mjs';
import { limit } from './limit.mjs';

export const contenders = [...celeriac, ...celery, celeryNode, bullmq, ...limit];
