/**
 * The parameters of a handler, read once from its source text: names, which have a default, and the rest parameter.
 * Counterpart: Celery reads them with inspect.getfullargspec (celery/utils/functional.py, head_from_fun); JavaScript has
 * no such thing, so acorn parses what Function.prototype.toString gives. Types are erased: a TypeScript `z?: number`
 * without a default reads as required, and `params: ['x', 'z?']` says otherwise.
 */
import { parseExpressionAt, type Expression, type Options, type Pattern } from 'acorn';
import { ConfigError } from '../errors.ts';

/**
 * How a parameter takes its value: `positional` by position or name; `rest` (JavaScript's `...x`) and `varargs` (`*x` of
 * `params`, one array) take the positional arguments left over; `keywords` (`**x`) takes the keywords left over, as one object.
 */
export type ParameterKind = 'positional' | 'rest' | 'varargs' | 'keywords';

export interface Parameter {
  readonly name: string;
  readonly kind: ParameterKind;
  /** False where a default (or `?` in `params`) makes it optional. Always false but for positional ones. */
  readonly required: boolean;
}

export interface HandlerParameters {
  /** What a bound task's handler calls its context; null when it is not bound or the parameter has no name. */
  readonly context: string | null;
  readonly parameters: readonly Parameter[];
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- any callable's source can be asked for
type Callable = Function;

/** A parameter as it stands in the source; the name is null where a pattern such as `{ a, b }` stands in its place. */
interface SourceParameter {
  readonly name: string | null;
  readonly isRest: boolean;
  readonly hasDefault: boolean;
}

/**
 * Reads a handler's parameters.
 *
 * @param taskName - for error messages.
 * @param options.bind - the first parameter is the task's context and no argument.
 * @param options.params - names given by the user; see {@link TaskOptions.params}.
 * @throws ConfigError when the source cannot be read and `params` is missing, or when the handler cannot be a task.
 */
export function readParameters(
  taskName: string,
  handler: Callable,
  options: { readonly bind?: boolean; readonly params?: readonly string[] | undefined } = {},
): HandlerParameters {
  const bind = options.bind ?? false;
  const source = readSource(taskName, handler, options.params !== undefined);
  const context = bind ? source?.[0] : undefined;
  // A bound handler that starts with a rest parameter takes its context in it and everything else too, as `*args` does.
  const own = source === null ? null : context !== undefined && !context.isRest ? source.slice(1) : source;
  const parameters =
    options.params === undefined
      ? (own ?? []).map(fromSource)
      : named(taskName, options.params, own, Math.max(0, handler.length - (bind ? 1 : 0)));
  const names = new Set<string>();
  for (const { name } of parameters) {
    if (names.has(name)) throw new ConfigError(`task "${taskName}" has two parameters named "${name}"`);
    names.add(name);
  }
  return { context: context?.isRest === true ? null : (context?.name ?? null), parameters };
}

function fromSource(parameter: SourceParameter, index: number): Parameter {
  return {
    name: parameter.name ?? `arg${index}`,
    kind: parameter.isRest ? 'rest' : 'positional',
    required: !parameter.isRest && !parameter.hasDefault,
  };
}

/** Joins the names the user gave with what the source says of defaults and the rest parameter. */
function named(
  taskName: string,
  names: readonly string[],
  source: readonly SourceParameter[] | null,
  requiredCount: number,
): Parameter[] {
  if (source !== null && names.length < source.length) {
    throw new ConfigError(
      `task "${taskName}": params names ${names.length} of the ${source.length} parameters of its handler`,
    );
  }
  const parameters = names.map((text, index): Parameter => {
    const [, stars = '', name = '', mark = ''] = /^(\*{0,2})([^*?].*?|)(\??)$/su.exec(text) ?? [];
    if (name === '') throw new ConfigError(`task "${taskName}": params has an entry without a name: "${text}"`);
    const inSource = source?.[index];
    if (stars === '**') return { name, kind: 'keywords', required: false };
    if (inSource?.isRest === true) return { name, kind: 'rest', required: false };
    if (stars === '*') return { name, kind: source === null ? 'rest' : 'varargs', required: false };
    const hasDefault = inSource === undefined ? source === null && index >= requiredCount : inSource.hasDefault;
    return { name, kind: 'positional', required: mark === '' && !hasDefault };
  });
  let closed: Parameter | null = null;
  for (const parameter of parameters) {
    if (closed !== null && !(closed.kind === 'varargs' && parameter.kind === 'keywords')) {
      throw new ConfigError(`task "${taskName}": in params, "${parameter.name}" cannot come after "${closed.name}"`);
    }
    if (parameter.kind !== 'positional') closed = parameter;
  }
  return parameters;
}

const nativeCode = /\{\s*\[native code\]\s*\}\s*$/u;

/** Null where the source is out of reach and `mayFail` allows that, because `params` is there. */
function readSource(taskName: string, handler: Callable, mayFail: boolean): SourceParameter[] | null {
  const text = Function.prototype.toString.call(handler);
  if (nativeCode.test(text)) {
    if (mayFail) return null;
    throw new ConfigError(
      `task "${taskName}": the parameters of its handler cannot be read, because it is a native or bound function; name them with the option params, such as params: ['x', 'y']`,
    );
  }
  const expression = parseHandler(text);
  if (expression === null) {
    if (mayFail) return null;
    throw new ConfigError(
      `task "${taskName}": the source of its handler cannot be parsed; name its parameters with the option params, such as params: ['x', 'y']`,
    );
  }
  if (expression.type === 'ClassExpression') {
    throw new ConfigError(`task "${taskName}": its handler is a class, which cannot be called; give a function`);
  }
  if (expression.type !== 'FunctionExpression' && expression.type !== 'ArrowFunctionExpression') {
    throw new ConfigError(`task "${taskName}": its handler is no function`);
  }
  if (expression.generator) {
    throw new ConfigError(
      `task "${taskName}": its handler is a generator, whose result cannot be stored; return an array instead`,
    );
  }
  return expression.params.map(readPattern);
}

function readPattern(pattern: Pattern): SourceParameter {
  switch (pattern.type) {
    case 'AssignmentPattern':
      return { ...readPattern(pattern.left), hasDefault: true };
    case 'RestElement':
      return { ...readPattern(pattern.argument), isRest: true };
    case 'Identifier':
      return { name: pattern.name, isRest: false, hasDefault: false };
    default:
      return { name: null, isRest: false, hasDefault: false };
  }
}

/** Lenient on purpose: the engine has accepted the text already, and a method's text stands here without its class. */
const syntax: Options = {
  ecmaVersion: 'latest',
  sourceType: 'script',
  allowImportExportEverywhere: true,
  allowAwaitOutsideFunction: true,
  allowSuperOutsideMethod: true,
  checkPrivateFields: false,
};

/** A function's text is an expression of its own, or a method: `add(x) {}`, `async [key]() {}`, or (in classes) `#add() {}`. */
function parseHandler(text: string): Expression | null {
  const asFunction = tryParse(`(${text}\n)`);
  if (asFunction !== null) return asFunction;
  const asMethod = tryParse(`({${text}\n})`);
  if (asMethod?.type === 'ObjectExpression') {
    const [property] = asMethod.properties;
    return property?.type === 'Property' ? property.value : null;
  }
  const asPrivateMethod = tryParse(`(class {${text}\n})`);
  if (asPrivateMethod?.type !== 'ClassExpression') return null;
  const [member] = asPrivateMethod.body.body;
  return member?.type === 'MethodDefinition' ? member.value : null;
}

function tryParse(text: string): Expression | null {
  try {
    return parseExpressionAt(text, 0, syntax);
  } catch {
    return null;
  }
}
