/**
 * celeriac, Celery, celery-node, BullMQ and the limit, taking turns on one Redis of their own.
 * Rounds are interleaved and each starts with another contender, so that what disturbs the machine for a while
 * disturbs all of them. docs/performance.md explains every figure.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { build } from '../bootstrap/build.mjs';
import { log } from '../bootstrap/log.mjs';
import { celeriacWide } from './contenders/celeriac.mjs';
import { contenders } from './contenders/index.mjs';
import { UsageError, help, readOptions } from './options.mjs';
import { projectRoot } from './places.mjs';
import { findPython } from './python.mjs';
import { describePoint, describeTurn, markdown } from './report.mjs';
import { flatness } from './scenarios/flatness.mjs';
import { measureKinds } from './scenarios/kinds.mjs';
import { startServer } from './server.mjs';
import { judge, summarise } from './summary.mjs';
import { takeTurn } from './turn.mjs';

const say = (text) => log.step('bench', `${performance.now().toFixed(0).slice(0, -3).padStart(4)} s  ${text}`);

/** The contenders whose names were asked for. */
function pick(only) {
  if (only === undefined) return contenders;
  const stray = only.find((name) => !contenders.some(({ id }) => id.startsWith(name)));
  if (stray !== undefined) {
    throw new UsageError(`--only: no contender "${stray}" (known: ${contenders.map(({ id }) => id).join(', ')})`);
  }
  return contenders.filter(({ id }) => only.some((name) => id.startsWith(name)));
}

/** What the contenders need to run, and without it the reason why they are left out. */
async function prepare(asked) {
  const { python, versions, why } = asked.some(({ needsPython }) => needsPython) ? await findPython(log) : {};
  let unbuilt;
  if (asked.some(({ needsBuild }) => needsBuild)) {
    await build({ log }).catch((error) => (unbuilt = error.message.split('\n').slice(0, 3).join(' ')));
  }
  const chosen = asked.filter(({ label, needsPython, needsBuild }) => {
    const reason = (needsPython && why) || (needsBuild && unbuilt);
    if (reason) say(`${label} left out: ${reason}`);
    return !reason;
  });
  return { chosen, python, versions };
}

/** @returns {Promise<Map<string, object[]>>} the turns by contender id; a turn that failed has `wrong` */
async function playRounds(chosen, environment, options) {
  const turns = new Map(chosen.map(({ id }) => [id, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    const first = (round * Math.ceil(chosen.length / options.rounds)) % chosen.length;
    for (const contender of [...chosen.slice(first), ...chosen.slice(0, first)]) {
      const turn = await takeTurn(contender, environment, options).catch((error) => ({ wrong: error.message }));
      turns.get(contender.id).push(turn);
      say(`round ${round + 1}/${options.rounds}, ${contender.label}: ${describeTurn(turn)}`);
    }
  }
  return turns;
}

async function collect(points) {
  const all = [];
  for await (const point of points) {
    all.push(point);
    say(describePoint(point));
  }
  return all;
}

async function run(options) {
  const { chosen, python, versions } = await prepare(pick(options.only));
  if (chosen.length === 0) throw new UsageError('no contender is left that can run here');
  const server = await startServer(log);
  try {
    const environment = { server, python };
    const machine = [
      `Node ${process.version}`,
      versions,
      server.version,
      `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    ]
      .filter(Boolean)
      .join(', ');
    const turns = await playRounds(chosen, environment, options);
    const ours = chosen.find(({ id }) => id === 'celeriac');
    const flat = ours && options.flatness ? await collect(flatness(ours, environment, options)) : [];
    const wide = ours ? [celeriacWide] : [];
    const kinds = options.kinds ? await collect(measureKinds([...chosen, ...wide], environment, options)) : [];

    const rows = summarise(chosen, turns);
    const report = {
      date: new Date().toISOString(),
      machine,
      options,
      rows,
      flat,
      kinds,
      goals: judge(turns, flat, kinds),
    };
    const file = resolve(projectRoot, options.json);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ ...report, turns: Object.fromEntries(turns) }, undefined, 2)}\n`);
    console.log(markdown(report));
    const isRight = rows.every(({ wrong }) => wrong.length === 0) && [...flat, ...kinds].every(({ wrong }) => !wrong);
    return isRight ? 0 : 1;
  } finally {
    await server.stop();
  }
}

/**
 * Exit codes: 0 all measured and right, 1 a contender failed or lost tasks, 2 usage. A goal that is missed is shown,
 * and is no failure: a noisy machine must not break a build.
 * @param {string[]} argv
 */
export async function main(argv) {
  try {
    const options = readOptions(argv);
    if (options.help) console.log(help());
    else if (options.list) for (const { id, label } of contenders) console.log(`${id.padEnd(16)} ${label}`);
    else if (process.platform !== 'linux') throw new UsageError('the bench reads /proc: it runs on Linux only');
    else process.exitCode = await run(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nSee npm run bench -- --help`);
    process.exitCode = 2;
  }
}
