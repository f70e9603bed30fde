/*
 * The layers of ARCHITECTURE.md, checked: a file imports from lower layers and its own folder only, types included.
 * 0 util, errors, log, config | 1 protocol | 2 redis, broker, backend | 3 tasks (later: events, canvas) | 4 client
 * | 5 worker (later: beat) | 6 manager | 7 cli, index
 */
const layers = [
  ['^src/util/', '^src/errors\\.ts$'],
  ['^src/log\\.ts$', '^src/log/', '^src/config/'],
  ['^src/protocol/'],
  ['^src/redis\\.ts$', '^src/redis/'],
  ['^src/broker/', '^src/backend/'],
  ['^src/tasks/', '^src/events/', '^src/canvas/', '^src/signals/'],
  ['^src/client/'],
  ['^src/worker/', '^src/beat/'],
  ['^src/manager/'],
  ['^src/cli/', '^src/index\\.ts$', '^src/testing', '^src/celery-node'],
];

const upward = layers.slice(0, -1).map((from, depth) => ({
  name: `layer-${depth}-imports-downwards`,
  severity: 'error',
  comment: 'Imports go down. Need something from above? Declare a small port below and hand it in.',
  from: { path: from.join('|') },
  to: {
    path: layers
      .slice(depth + 1)
      .flat()
      .join('|'),
  },
}));

const strangers = (a, b) => [
  { name: `${a}-and-${b}-are-strangers`, severity: 'error', from: { path: `^src/${a}/` }, to: { path: `^src/${b}/` } },
  { name: `${b}-and-${a}-are-strangers`, severity: 'error', from: { path: `^src/${b}/` }, to: { path: `^src/${a}/` } },
];

const onlyIn = (name, module, places) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: places },
  to: { path: `node_modules/${module}/`, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...upward,
    ...strangers('broker', 'backend'),
    ...strangers('worker', 'beat'),
    {
      name: 'manager-never-knows-the-worker',
      severity: 'error',
      from: { path: '^src/manager/' },
      to: { path: '^src/worker/' },
    },
    onlyIn('ioredis-only-in-redis', 'ioredis', ['^src/redis/']),
    onlyIn('winston-only-in-log', 'winston', ['^src/log\\.ts$']),
    onlyIn('express-only-in-the-api', 'express', ['^src/manager/api/']),
    onlyIn('commander-only-in-cli', 'commander', ['^src/cli/']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
