import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Metrics } from './metrics.js';
import { MetricsEndpoint } from './metrics-endpoint.js';

// Node's own interval would be 30 seconds.
it('the endpoint closes silent connections before they keep a scraper out', { timeout: 15_000 }, async () => {
  const endpoint = await MetricsEndpoint.start({
    metrics: new Metrics([]),
    logger: pino({ level: 'silent' }),
    address: '127.0.0.1',
    port: 0,
    requestTimeoutMs: 100,
  });
  try {
    const idle = Array.from({ length: 16 }, () => connect(endpoint.port, '127.0.0.1').resume());
    await Promise.all(idle.map((socket) => once(socket, 'close')));
    const response = await fetch(`http://127.0.0.1:${endpoint.port}/metrics`);
    expect(response.status).toBe(200);
  } finally {
    await endpoint.close();
  }
});
