import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OtlpReceiver } from '../telemetry/otlp-receiver.js';
import type { Message } from './client.js';
import { Deployment } from './deployment.js';

/** Metrics and logs of a whole server as a collector receives them, and the effects of `OTEL_*`. */

let receiver: OtlpReceiver;
beforeEach(async () => void (receiver = await OtlpReceiver.start()));
afterEach(() => {
  receiver.close();
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) Reflect.deleteProperty(process.env, name);
});

/** Makes 16 random bytes with every request traced, and stops. */
async function run(telemetry: Message, use: (deployment: Deployment) => void): Promise<void> {
  const configure = (configuration: Message): void => {
    configuration['telemetry'] = telemetry;
  };
  const deployment = new Deployment({ customClusters: [], configure });
  try {
    const server = await deployment.start();
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const traceparent = `00-${'a'.repeat(32)}-${randomBytes(8).toString('hex')}-01`;
    client.headers = { traceparent };
    await client.call('GenerateRandom', { number_of_bytes: 16 });
    await client.refusal('GenerateRandom', { number_of_bytes: 0 });
    await server.stop();
    use(deployment);
  } finally {
    deployment.dispose();
  }
}

const generated = { method: 'GenerateRandom', face: 'grpc', code: 'OK' };

test('metrics arrive under their Prometheus names, and every log line arrives', async () => {
  const telemetry = {
    logLevel: 'trace',
    serviceName: 'of the configuration',
    otlpMetrics: { endpoint: `${receiver.base}/v1/metrics`, intervalMs: 3_600_000 },
    otlpLogs: { endpoint: `${receiver.base}/v1/logs` },
  };
  await run(telemetry, (deployment) => {
    const requests = receiver.points.filter(({ metric }) => metric === 'holdfast_rpc_requests_total');
    const random = requests.find(({ attributes }) => isDeepStrictEqual(attributes, generated));
    expect(random?.value).toBeGreaterThan(0);
    const durations = receiver.points.filter(({ metric }) => metric === 'holdfast_rpc_duration_seconds');
    expect(durations.find(({ attributes }) => attributes['method'] === 'GenerateRandom')?.value).toBeGreaterThan(0);
    const written = readFileSync(deployment.logPath, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Message);
    const sent = receiver.logRecords.map(({ body }) => body);
    // Lines after the last export are in the log alone.
    expect(sent).toEqual(written.map(({ msg }) => msg).slice(0, sent.length));
    expect(sent).toContain('key store connected');
    expect(receiver.spans).toEqual([]);
    expect(deployment.ledger.findIn('what the receiver got', Buffer.concat(receiver.bodies))).toEqual([]);
  });
});

const variables = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: receiver.base,
  OTEL_EXPORTER_OTLP_HEADERS: 'tenant=of-the-environment',
  OTEL_SERVICE_NAME: 'of the environment',
  OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
  OTEL_TRACES_SAMPLER: 'parentbased_always_off',
});

test('OTEL_* sets up all three signals if the configuration says so', async () => {
  Object.assign(process.env, variables());
  await run({ environment: true }, () => {
    expect(receiver.trace('a'.repeat(32)).map(({ name }) => name)).toContain(
      'holdfast.kms.v1.CryptographyService/GenerateRandom',
    );
    expect(receiver.resources.at(-1)).toMatchObject({
      'service.name': 'of the environment',
      'deployment.environment': 'test',
    });
    expect(receiver.points.map(({ metric }) => metric)).toContain('holdfast_rpc_requests_total');
    expect(receiver.logRecords.map(({ body }) => body)).toContain('key store connected');
    for (const headers of receiver.headers) expect(headers['tenant']).toBe('of-the-environment');
  });
});

test('without `environment: true` nothing is sent, the log names the ignored variables, no library reads them', async () => {
  Object.assign(process.env, variables(), { OTEL_TRACES_EXPORTER: 'otlp', OTEL_LOG_LEVEL: 'debug' });
  await run({}, (deployment) => {
    expect(receiver.headers).toEqual([]);
    expect(Object.keys(process.env).filter((name) => name.startsWith('OTEL_'))).toEqual([]);
    expect(readFileSync(deployment.logPath, 'utf8')).toContain('"OTEL_EXPORTER_OTLP_ENDPOINT"');
  });
});

test('an unreachable receiver affects no request, and the server still stops', async () => {
  receiver.answerWith(500);
  const endpoint = (signal: string) => ({ endpoint: `${receiver.base}/v1/${signal}` });
  const telemetry = { otlpMetrics: endpoint('metrics'), otlpLogs: endpoint('logs'), tracing: endpoint('traces') };
  await run(telemetry, () => undefined);
  expect(receiver.headers.length).toBeGreaterThan(0);
});
