/** From the raw figures of all turns to one row a contender, and to the goals. Pure. */
import { median, spreadPercent } from './stats.mjs';

const figures = [
  'tasksPerSecond',
  'cpuMicroseconds',
  'redisMicroseconds',
  'tripP50Ms',
  'tripP99Ms',
  'pssMebibytes',
  'startUpMs',
];

/**
 * How many times `field` of `above` is that of `below`: the median of the rounds' own ratios, since what slows a whole
 * round down slows both. NaN where no round has both.
 */
function ratio(turns, field, above, below) {
  const ratios = (turns.get(above) ?? []).map((turn, round) => turn[field] / turns.get(below)?.[round]?.[field]);
  return median(ratios.filter(Number.isFinite));
}

/**
 * One row a contender: the median of each figure over the rounds that were right.
 * @param {{ id: string, label: string }[]} contenders
 * @param {Map<string, object[]>} turns by contender id, in the order of rounds
 */
export function summarise(contenders, turns) {
  return contenders.map(({ id, label }) => {
    const all = turns.get(id) ?? [];
    const good = all.filter((turn) => turn.wrong === undefined);
    const wrong = [...new Set(all.map((turn) => turn.wrong).filter((words) => words !== undefined))];
    return {
      id,
      label,
      wrong,
      rounds: good.length,
      tasks: good[0]?.tasks,
      processes: good[0]?.processes,
      ...Object.fromEntries(figures.map((name) => [name, median(good.map((turn) => turn[name]))])),
      cpuSpreadPercent: spreadPercent(good.map((turn) => turn.cpuMicroseconds)),
      timesBelowPrefork: ratio(turns, 'cpuMicroseconds', 'celery-prefork', id),
      timesLimit: ratio(turns, 'cpuMicroseconds', id, 'limit'),
      timesLimitLua: ratio(turns, 'cpuMicroseconds', id, 'limit-lua'),
    };
  });
}

/**
 * The goals celeriac set itself, each with what was measured; one whose figures are missing is left out.
 * @param {Map<string, object[]>} turns
 * @param {object[]} flat the flatness points @param {object[]} kinds the points of other kinds of task
 */
export function judge(turns, flat, kinds) {
  const [shortest, ...longer] = flat.filter(({ wrong }) => wrong === undefined).map((point) => point.cpuMicroseconds);
  const waiting = kinds.find(({ id, wrong }) => id === 'waiting' && wrong === undefined);
  const cpu = (above, below) => ratio(turns, 'cpuMicroseconds', above, below);
  const goals = [
    { goal: 'CPU per task: at most 1.5x the limit in plain commands', value: cpu('celeriac', 'limit'), most: 1.5 },
    { goal: 'CPU per task: at least 10x below Celery prefork', value: cpu('celery-prefork', 'celeriac'), least: 10 },
    { goal: "CPU per task: not above celery-node's", value: cpu('celeriac', 'celery-node'), most: 1 },
    {
      goal: "throughput: above BullMQ's at concurrency 100",
      value: ratio(turns, 'tasksPerSecond', 'celeriac', 'bullmq'),
      least: 1,
    },
    {
      goal: "start-up: 3x quicker than Celery prefork's",
      value: ratio(turns, 'startUpMs', 'celery-prefork', 'celeriac'),
      least: 3,
    },
    {
      goal: 'CPU per task: flat, with the most queued at most 1.25x of the fewest',
      value: Math.max(...longer) / shortest,
      most: 1.25,
    },
    { goal: '1,000 tasks waiting 1 s at once: done within 1.5 s', value: waiting?.seconds, most: 1.5, unit: ' s' },
  ];
  return goals
    .filter(({ value }) => Number.isFinite(value))
    .map(({ goal, value, most = Infinity, least = -Infinity, unit = 'x' }) => ({
      goal,
      measured: value.toFixed(2) + unit,
      met: value <= most && value >= least,
    }));
}
