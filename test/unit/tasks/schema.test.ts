import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { ConfigError, ValidationError } from '../../../src/errors.ts';
import { type Kwargs } from '../../../src/tasks/binding.ts';
import { compileSchema } from '../../../src/tasks/schema.ts';
import { type StandardSchema } from '../../../src/tasks/standard-schema.ts';

const profile = z.object({
  version_id: z.string(),
  attributes: z.array(z.object({ id: z.string() })),
  resume_from: z.unknown().optional(),
  limit: z.number().default(10),
});
const check = compileSchema('app.generate_rules', 'generate_rules', profile);
const good = { version_id: 'v1', attributes: [{ id: 'a' }] };

describe('gives one object, however the producer passed the arguments', () => {
  test.each<[how: string, args: unknown[], kwargs: Kwargs]>([
    ['by keyword', [], good],
    ['by position, in the order of the keys', ['v1', [{ id: 'a' }]], {}],
    ['by both', ['v1'], { attributes: [{ id: 'a' }] }],
    ['as one object', [good], {}],
  ])('%s', (_how, args, kwargs) => {
    expect(check(args, kwargs)).toEqual({ ...good, limit: 10 });
  });

  test('an object that fits as the first argument is that argument', () => {
    const options = compileSchema('t', 't', z.object({ options: z.object({}).loose(), x: z.number().optional() }));
    expect(options([{ options: 1 }], {})).toEqual({ options: { options: 1 } });
  });

  test('by the names of params where the schema does not tell its keys', () => {
    const union = z.union([z.object({ x: z.number() }), z.object({ y: z.number() })]);
    expect(compileSchema('t', 't', union, ['x'])([1], {})).toEqual({ x: 1 });
    expect(compileSchema('t', 't', union)([{ y: 1 }], {})).toEqual({ y: 1 });
    expect(() => compileSchema('t', 't', union)([1], {})).toThrow(
      new TypeError('t() takes 0 positional arguments but 1 was given'),
    );
  });

  test('after its transforms', () => {
    const doubled = compileSchema('t', 't', z.object({ x: z.coerce.number().transform((x) => x * 2) }));
    expect(doubled(['21'], {})).toEqual({ x: 42 });
  });
});

describe('a schema that checks asynchronously', () => {
  const asynchronous: StandardSchema<unknown, unknown> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) =>
        (value as { x?: unknown }).x === 1 ? { value: 'checked' } : { issues: [{ message: 'no', path: ['x'] }] },
    },
  };
  const bind = compileSchema('t', 't', asynchronous, ['x']);

  test('gives a promise of its value', async () => {
    await expect(bind([1], {})).resolves.toBe('checked');
    await expect(bind([{ x: 1 }], {})).resolves.toBe('checked');
  });

  test('gives a promise that rejects with the failure', async () => {
    await expect(bind([2], {})).rejects.toThrow(new ValidationError('1 validation error for t\nx: no', []));
  });

  test('works with the refinements of zod', async () => {
    const refined = z.object({ x: z.number().refine(async (x) => x > 0, 'must be positive') });
    await expect(compileSchema('t', 't', refined)([1], {})).resolves.toEqual({ x: 1 });
    await expect(compileSchema('t', 't', refined)([-1], {})).rejects.toThrow('x: must be positive');
  });
});

describe('refuses with ValidationError', () => {
  const failure = (args: unknown[], kwargs: Kwargs, bind = check): ValidationError => {
    try {
      bind(args, kwargs);
    } catch (error) {
      if (error instanceof ValidationError) return error;
      throw error;
    }
    throw new Error('it did not refuse');
  };

  test('what does not fit, naming every path', () => {
    const error = failure([], { version_id: 5, attributes: [{ id: 'a' }, { id: 1 }] });
    expect(error.issues).toEqual([
      { path: 'version_id', message: 'Invalid input: expected string, received number' },
      { path: 'attributes.1.id', message: 'Invalid input: expected string, received number' },
    ]);
    expect(error.message).toBe(
      '2 validation errors for generate_rules\n' +
        'version_id: Invalid input: expected string, received number\n' +
        'attributes.1.id: Invalid input: expected string, received number',
    );
    expect(error.excArgs).toEqual([error.message]);
  });

  test('one object that does not fit, reporting on its own keys', () => {
    expect(failure([{ version_id: 5, attributes: [] }], {}).issues.map(({ path }) => path)).toEqual(['version_id']);
  });

  test('an object with keys of which the schema knows nothing', () => {
    const lax = compileSchema('t', 't', z.object({ a: z.string().optional() }));
    expect(failure([{ b: 1 }], {}, lax).issues).toEqual([
      { path: 'a', message: 'Invalid input: expected string, received object' },
    ]);
  });

  test('unknown keywords, where the schema is strict', () => {
    const strict = compileSchema('t', 't', z.strictObject({ x: z.number() }));
    expect(failure([1], { y: 1 }, strict).issues).toEqual([{ path: '', message: 'Unrecognized key: "y"' }]);
  });

  test('thousands of bad rows, of which it lists fifty', () => {
    const rows = compileSchema('t', 't', z.object({ rows: z.array(z.number()) }));
    const error = failure([Array.from({ length: 5000 }, () => 'x')], {}, rows);
    expect(error.issues).toHaveLength(50);
    expect(error.message).toMatch(/^5000 validation errors for t\n/u);
    expect(error.message).toMatch(/\n\.\.\. and 4950 more$/u);
  });
});

describe('refuses with TypeError, in the words of Python', () => {
  test.each<[args: unknown[], kwargs: string, message: string]>([
    [['v', [], 1, 2, 3], '{}', 'takes from 0 to 4 positional arguments but 5 were given'],
    [['v'], '{"version_id": "w"}', "got multiple values for argument 'version_id'"],
    [['v'], '{"__proto__": {"x": 1}}', "got an unexpected keyword argument '__proto__'"],
  ])('%j with %s', (args, kwargs, message) => {
    expect(() => check(args, JSON.parse(kwargs) as Kwargs)).toThrow(new TypeError(`generate_rules() ${message}`));
  });
});

test.each([{}, 5, () => 0, { '~standard': {} }])('%p is no schema', (value) => {
  expect(() => compileSchema('tasks.t', 't', value)).toThrow(ConfigError);
});
