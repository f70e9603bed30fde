import { describe, expect, test } from '@jest/globals';
import { brokerSettings, type BrokerSettings } from '../../../src/broker/settings.ts';
import { resolveConfig, type Settings } from '../../../src/config/config.ts';

const settings = (given: Settings, purpose: 'read' | 'write' = 'read'): BrokerSettings =>
  brokerSettings(resolveConfig({ explicit: given }), purpose);

describe('the connection', () => {
  test('has the times of the transport options, seconds as kombu has them', () => {
    const { connection } = settings({
      broker_url: 'redis://localhost',
      broker_transport_options: { socket_timeout: 7, socket_connect_timeout: 3, health_check_interval: 11 },
    });
    expect(connection).toMatchObject({ replyTimeoutMs: 7000, connectTimeoutMs: 3000, healthCheckMs: 11_000 });
  });

  test("has the times and the name of the URL's query before those of the transport options", () => {
    const { connection } = settings({
      broker_url:
        'redis://localhost/0?socket_timeout=1.5&socket_connect_timeout=2&health_check_interval=5&client_name=mine',
      broker_transport_options: { socket_timeout: 7, socket_connect_timeout: 3, client_name: 'other' },
    });
    expect(connection).toMatchObject({
      replyTimeoutMs: 1500,
      connectTimeoutMs: 2000,
      healthCheckMs: 5000,
      clientName: 'mine',
    });
  });

  test('waits for ever, and sends no PING, where a time is 0; where none is given, its own defaults hold', () => {
    const options = { socket_timeout: 0, health_check_interval: 0 };
    const { connection } = settings({ broker_transport_options: options });
    expect(connection).toMatchObject({ replyTimeoutMs: null, healthCheckMs: null });
    expect(settings({}).connection).not.toHaveProperty('replyTimeoutMs');
    expect(settings({}).connection.connectTimeoutMs).toBe(4000);
  });

  test('refuses a time that is none', () => {
    expect(() => settings({ broker_transport_options: { socket_timeout: 'long' } })).toThrow(
      'broker_transport_options: socket_timeout must be a number from 0, not "long"',
    );
  });
});

describe('trying again', () => {
  const retrying = ({ connection }: BrokerSettings): unknown => [
    connection.retryOnConnect,
    connection.retryOnLoss,
    connection.retryRefusals,
    connection.maxRetries,
  ];

  test.each<[Settings, unknown[]]>([
    [{}, [true, true, true, 100]],
    [{ broker_connection_retry: false }, [false, false, false, 100]],
    [{ broker_connection_retry: false, broker_connection_retry_on_startup: true }, [true, false, true, 100]],
    [{ broker_connection_retry_on_startup: false }, [false, true, false, 100]],
    [{ broker_connection_max_retries: null }, [true, true, true, null]],
  ])('of a worker with %j', (given, expected) => {
    expect(retrying(settings(given))).toEqual(expected);
  });

  test('of a client: it is told at once when it is refused, and a lost connection is made again', () => {
    expect(retrying(settings({ broker_connection_retry: false }, 'write'))).toEqual([false, true, false, 100]);
  });
});

test('what is odd about the URL is kept to be told', () => {
  const { target } = settings({ broker_url: 'rediss://localhost/0?ssl_cert_reqs=none' });
  expect(target.warnings).toEqual([expect.stringContaining('ssl_cert_reqs=CERT_NONE')]);
});
