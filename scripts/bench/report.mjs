/** The figures in words: progress lines, and the markdown report. Pure. */

/** A turn in one line. */
export function describeTurn(turn) {
  if (turn.wrong !== undefined) return `WRONG: ${turn.wrong}`;
  return (
    `${number(turn.tasksPerSecond)} tasks/s, CPU ${number(turn.cpuMicroseconds)} us/task, ` +
    `trip ${number(turn.tripP50Ms, 2)} ms, start-up ${number(turn.startUpMs / 1000, 2)} s`
  );
}

/** A point of a scenario in one line. */
export function describePoint({ queued, kind, label, wrong, cpuMicroseconds, seconds }) {
  const what = kind === undefined ? `${number(queued)} queued` : `${kind}, ${label}`;
  const figures = [`CPU ${number(cpuMicroseconds, 1)} us/task`, ...(seconds ? [`${number(seconds, 2)} s`] : [])];
  return `${what}: ${wrong === undefined ? figures.join(', ') : `WRONG: ${wrong}`}`;
}

const number = (value, digits = 0) =>
  Number.isFinite(value)
    ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : '-';

function table(head, lines) {
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((line) => line[column].length), 3));
  const write = (line) =>
    `| ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [write(head), rule, ...lines.map(write)].join('\n');
}

/** @returns {string} markdown */
export function markdown({ machine, options, rows, flat, kinds, goals }) {
  const parts = [
    `Medians of ${options.rounds} round(s), backlogs as given, ${machine}.`,
    table(
      [
        'contender',
        'tasks',
        'tasks/s',
        'CPU us/task',
        '± %',
        'x below prefork',
        'x limit',
        'x scripts',
        'Redis us/task',
        'trip p50 ms',
        'p99 ms',
        'PSS MiB',
        'processes',
        'start-up s',
      ],
      rows.map((row) => [
        row.label + (row.wrong.length > 0 ? ' (!)' : ''),
        number(row.tasks),
        number(row.tasksPerSecond),
        number(row.cpuMicroseconds),
        number(row.cpuSpreadPercent),
        number(row.timesBelowPrefork, 1),
        number(row.timesLimit, 2),
        number(row.timesLimitLua, 2),
        number(row.redisMicroseconds),
        number(row.tripP50Ms, 2),
        number(row.tripP99Ms, 2),
        number(row.pssMebibytes),
        number(row.processes),
        number(row.startUpMs / 1000, 2),
      ]),
    ),
  ];
  for (const row of rows) for (const wrong of row.wrong) parts.push(`(!) ${row.label}: ${wrong.replaceAll('\n', ' ')}`);
  if (flat.length > 0) {
    parts.push(
      'celeriac async -c 100, cost of a task by the number queued:',
      table(
        ['queued', 'CPU us/task', 'Redis us/task', 'tasks/s'],
        flat.map((point) => [
          number(point.queued) + (point.wrong === undefined ? '' : ` (!) ${point.wrong}`),
          number(point.cpuMicroseconds, 1),
          number(point.redisMicroseconds, 1),
          number(point.tasksPerSecond),
        ]),
      ),
    );
  }
  if (kinds.length > 0) {
    parts.push(
      'Other kinds of task:',
      table(
        ['kind', 'contender', 'tasks', 'CPU us/task', 'Redis us/task', 'seconds'],
        kinds.map((row) => [
          row.kind + (row.wrong === undefined ? '' : ' (!)'),
          row.label,
          number(row.tasks),
          number(row.cpuMicroseconds),
          number(row.redisMicroseconds),
          number(row.seconds, 2),
        ]),
      ),
    );
  }
  for (const { kind, label, wrong } of kinds) {
    if (wrong !== undefined) parts.push(`(!) ${kind}, ${label}: ${wrong.replaceAll('\n', ' ')}`);
  }
  if (goals.length > 0) {
    parts.push(
      table(
        ['goal', 'measured', 'met'],
        goals.map(({ goal, measured, met }) => [goal, measured, met ? 'yes' : 'NO']),
      ),
    );
  }
  return parts.join('\n\n');
}
