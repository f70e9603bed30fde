/*
 * The same calls as scripts/python/producer.py, from JavaScript: what the quickstart runs where there is no Python.
 * Exit code 0 only when every result was right.
 */
import { add, app, shout } from './tasks.mjs';

const TIMEOUT_S = 30;
let isAllRight = true;

function show(call, outcome, isRight) {
  console.log(`  ${call.padEnd(44)} ${outcome}${isRight ? '' : '   <- WRONG'}`);
  isAllRight &&= isRight;
}

try {
  const sum = await (await add.delay(2, 2)).get({ timeout: TIMEOUT_S });
  show('await (await add.delay(2, 2)).get()', sum, sum === 4);

  try {
    const text = await (await shout.delay(42)).get({ timeout: TIMEOUT_S });
    show('await (await shout.delay(42)).get()', `returned ${text}`, false);
  } catch (error) {
    show(
      'await (await shout.delay(42)).get()',
      `throws ${error.excType}: ${error.message}`,
      error.excType === 'TypeError',
    );
  }

  const sentAt = performance.now();
  const later = await (await add.applyAsync({ args: [20, 22], countdown: 2 })).get({ timeout: TIMEOUT_S });
  const seconds = (performance.now() - sentAt) / 1000;
  show(
    'add.applyAsync({ args, countdown: 2 })',
    `${later} after ${seconds.toFixed(1)} s`,
    later === 42 && seconds >= 1.9,
  );

  const startedAt = performance.now();
  const results = await Promise.all(Array.from({ length: 100 }, (_, i) => add.delay(i, i)));
  const sums = await Promise.all(results.map((result) => result.get({ timeout: TIMEOUT_S })));
  show(
    '100 x add.delay(i, i)',
    `${sums.length} results in ${((performance.now() - startedAt) / 1000).toFixed(2)} s`,
    sums.every((value, i) => value === 2 * i),
  );
} finally {
  await app.close();
}
process.exitCode = isAllRight ? 0 : 1;
