import { beforeEach, describe, expect, test } from '@jest/globals';
import { Signal, type SignalPayload } from '../../../src/signals/signal.ts';
import { signals } from '../../../src/signals/signals.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

interface Payload extends SignalPayload {
  readonly value: number;
}

let count = 0;
let signal: Signal<Payload>;
let log: string[];

beforeEach(() => {
  // A name of its own: signals of one name share their receivers.
  signal = new Signal(`test-${count++}`);
  log = [];
});

function send(value = 1, sender: string | null = 'tasks.add'): Promise<readonly unknown[]> {
  return signal.send({ sender, value }, keepingLogger(log));
}

describe('connecting', () => {
  test('nobody is listening at first, and every receiver in order afterwards', async () => {
    const calls: string[] = [];
    expect(signal.isListened).toBe(false);
    signal.connect(({ value }) => calls.push(`first ${value}`));
    signal.connect(({ value }) => calls.push(`second ${value}`));
    expect(signal.isListened).toBe(true);
    await send(5);
    expect(calls).toEqual(['first 5', 'second 5']);
  });

  test('the same function is called once, unless for different senders', async () => {
    const calls: unknown[] = [];
    const receiver = ({ sender }: Payload): unknown => calls.push(sender);
    signal.connect(receiver);
    signal.connect(receiver);
    await send();
    expect(calls).toEqual(['tasks.add']);
    signal.connect(receiver, { sender: 'tasks.add' });
    await send();
    expect(calls).toHaveLength(3);
  });

  test('a dispatchUid stands for the function, so that a module loaded twice connects once', async () => {
    const calls: number[] = [];
    for (const version of [1, 2]) signal.connect(() => calls.push(version), { dispatchUid: 'tracer' });
    await send();
    expect(calls).toEqual([1]);
    expect(signal.disconnect(() => undefined, { dispatchUid: 'tracer' })).toBe(true);
    expect(signal.isListened).toBe(false);
  });

  test.each([['a name', 'tasks.add'] as const, ['a task', { name: 'tasks.add' }] as const])(
    'with a sender (%s) only what that one sends arrives',
    async (_, sender) => {
      const calls: unknown[] = [];
      signal.connect(({ sender: from }) => calls.push(from), { sender });
      await send(1, 'tasks.add');
      await send(1, 'tasks.other');
      await send(1, null);
      expect(calls).toEqual(['tasks.add']);
      expect(signal.hasListeners('tasks.add')).toBe(true);
      expect(signal.hasListeners('tasks.other')).toBe(false);
      expect(signal.hasListeners()).toBe(true);
    },
  );

  test('disconnect needs the sender it was connected with, and what connect returned needs nothing', async () => {
    const receiver = (): undefined => undefined;
    const off = signal.connect(receiver, { sender: 'tasks.add' });
    expect(signal.disconnect(receiver)).toBe(false);
    expect(signal.disconnect(receiver, { sender: 'tasks.add' })).toBe(true);
    expect(signal.disconnect(receiver, { sender: 'tasks.add' })).toBe(false);
    expect(off()).toBe(false);
    const again = signal.connect(receiver);
    expect(again()).toBe(true);
    expect(signal.isListened).toBe(false);
    await send();
  });

  test('once: the next time only, even when the receiver causes the signal again', async () => {
    let calls = 0;
    signal.once(async () => {
      calls += 1;
      await send();
    });
    await send();
    await send();
    expect(calls).toBe(1);
    expect(signal.isListened).toBe(false);
  });

  test('what is no function is refused with the signal and the value named', () => {
    expect(() => signal.connect(undefined as never)).toThrow(
      /^signals\.test-\d+ needs a function to call, not undefined$/,
    );
  });
});

describe('sending', () => {
  test('synchronous receivers are done before send returns', () => {
    const calls: number[] = [];
    signal.connect(() => calls.push(1));
    signal.connect(() => calls.push(2));
    void send();
    expect(calls).toEqual([1, 2]);
  });

  test('an asynchronous receiver is waited for, and the next comes after it', async () => {
    const calls: string[] = [];
    signal.connect(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      calls.push('slow');
    });
    signal.connect(() => calls.push('fast'));
    await send();
    expect(calls).toEqual(['slow', 'fast']);
  });

  test('what receivers return is returned', async () => {
    signal.connect(() => 1);
    signal.connect(() => Promise.resolve(2));
    expect(await send()).toEqual([1, 2]);
  });

  const proxy = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no');
      },
      getPrototypeOf: () => {
        throw new Error('no');
      },
    },
  );
  test.each<[string, () => unknown]>([
    ['throws', () => fail(new RangeError('broken'))],
    ['rejects', () => Promise.reject(new RangeError('broken'))],
    ['throws no error', () => fail('broken')],
    ['throws undefined', () => fail(undefined)],
    ['throws a thing that cannot be looked at', () => fail(proxy)],
  ])('a receiver that %s is logged by its name, and the others are called', async (_, broken) => {
    let calls = 0;
    signal.connect(function tracer() {
      return broken();
    });
    signal.connect(() => (calls += 1));
    await send();
    expect(calls).toBe(1);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^ERROR The receiver tracer of the signal test-\d+ failed: ./);
  });

  test('a receiver may take itself or others off while the signal is being sent', async () => {
    const calls: number[] = [];
    const off = signal.connect(() => {
      calls.push(1);
      off();
    });
    signal.connect(() => calls.push(2));
    await send();
    await send();
    expect(calls).toEqual([1, 2, 2]);
  });
});

test('another copy of the package shares the receivers', async () => {
  const calls: number[] = [];
  signal.connect(({ value }) => calls.push(value));
  const copy = new Signal<Payload>(signal.name);
  expect(copy.isListened).toBe(true);
  await copy.send({ sender: null, value: 7 }, keepingLogger(log));
  expect(calls).toEqual([7]);
});

test("every signal is named as its key, and nobody is listening at first: a worker's way costs nothing", () => {
  for (const [key, each] of Object.entries(signals)) {
    expect(each.name).toBe(key);
    expect(each.isListened).toBe(false);
  }
});

function fail(thrown: unknown): never {
  throw thrown;
}
