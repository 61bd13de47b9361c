import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OtlpReceiver, type ReceivedSpan } from '../telemetry/otlp-receiver.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, eventually, type RunningServer } from './deployment.js';

/** Traces of a whole server, as a collector receives them. */

const exportToken = 'Bearer-a-token-of-the-collector';
const contextValue = 'the-value-of-an-encryption-context';
const serviceName = 'holdfast of the test';

let receiver: OtlpReceiver;
let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;
let keyId: string;

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  deployment = new Deployment({ customClusters: [], faulty: ['default'], configure });
  deployment.ledger.add('token of the collector', exportToken);
  deployment.ledger.add('value of an encryption context', contextValue);
  writeFileSync(join(deployment.folder, 'tracing.pin'), exportToken, { mode: 0o600 });
  // None of these may have any effect.
  process.env['OTEL_TRACES_SAMPLER'] = 'always_off';
  process.env['OTEL_EXPORTER_OTLP_HEADERS'] = 'from-the-environment=1';
  process.env['OTEL_SERVICE_NAME'] = 'from the environment';
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  const { key_metadata: metadata } = await client.call('CreateKey');
  keyId = (metadata as Message)['key_id'] as string;
}, 60_000);

afterAll(async () => {
  for (const name of ['OTEL_TRACES_SAMPLER', 'OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_SERVICE_NAME']) {
    Reflect.deleteProperty(process.env, name);
  }
  await server.stop();
  deployment.dispose();
  receiver.close();
});

function configure(configuration: Message): void {
  const telemetry = configuration['telemetry'] as Message;
  const headers = { authorization: { file: 'tracing.pin' } };
  telemetry['tracing'] = { endpoint: receiver.endpoint, sampleRatio: 0, headers, serviceName };
}

/** A caller that traces: its own span is the parent. */
function caller(sampled: boolean): { traceId: string; parentId: string; headers: Record<string, string> } {
  const traceId = randomBytes(16).toString('hex');
  const parentId = randomBytes(8).toString('hex');
  const traceparent = `00-${traceId}-${parentId}-0${sampled ? 1 : 0}`;
  return { traceId, parentId, headers: { traceparent, tracestate: 'vendor=1' } };
}

async function traced(method: string, request: Message): Promise<{ parentId: string; spans: ReceivedSpan[] }> {
  const { traceId, parentId, headers } = caller(true);
  client.headers = headers;
  try {
    await client.call(method, request);
  } catch {
    // The refusal is in the spans.
  } finally {
    client.headers = {};
  }
  return { parentId, spans: await arrived(traceId) };
}

/** The request's own span ends last: when it is there, all are. */
function arrived(traceId: string): Promise<ReceivedSpan[]> {
  return eventually(() => {
    const spans = receiver.trace(traceId);
    if (!spans.some(({ name }) => name.includes('/'))) throw new Error('The trace has not arrived.');
    return Promise.resolve(spans);
  });
}

function named(spans: ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} spans are called ${name}`);
  return found[0];
}

describe('a request whose caller traces it', () => {
  test('is a tree: the request, the operation of the cluster, the attempt on a member', async () => {
    const plaintext = randomBytes(32);
    deployment.ledger.add('plaintext', plaintext);
    const request = { key_id: keyId, plaintext, encryption_context: { purpose: contextValue } };
    const { parentId, spans } = await traced('Encrypt', request);
    const rpc = named(spans, 'holdfast.kms.v1.CryptographyService/Encrypt');
    const operation = named(spans, 'hsm encrypt');
    const attempt = named(spans, 'hsm encrypt try');
    expect(spans).toHaveLength(3);
    expect([rpc.parentSpanId, operation.parentSpanId, attempt.parentSpanId]).toEqual([
      parentId,
      rpc.spanId,
      operation.spanId,
    ]);
    expect(rpc).toMatchObject({ traceState: 'vendor=1', statusCode: 0 });
    expect(rpc.attributes).toEqual({
      'rpc.system': 'grpc',
      'rpc.service': 'holdfast.kms.v1.CryptographyService',
      'rpc.method': 'Encrypt',
      'rpc.grpc.status_code': 0,
      'holdfast.request_id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    const clusterId = deployment.defaultCluster.clusterId;
    expect(operation.attributes).toEqual({
      'holdfast.cluster.id': clusterId,
      'holdfast.key_store.id': 'default',
      'holdfast.hsm.operation': 'encrypt',
    });
    expect(attempt.attributes).toEqual({
      'holdfast.cluster.id': clusterId,
      'holdfast.hsm.operation': 'encrypt',
      'holdfast.hsm.try': 1,
      'holdfast.hsm.retried': false,
      'holdfast.member': 'a',
      'holdfast.session_epoch': expect.any(Number) as number,
    });
  });

  test('shows which return value of which function failed, and the log line names the trace', async () => {
    const fault = deployment.fault('default');
    fault.obey('C_EncryptInit rv 0x6');
    const { spans } = await traced('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
    fault.heal();
    const rpc = named(spans, 'holdfast.kms.v1.CryptographyService/Encrypt');
    expect(rpc).toMatchObject({ statusCode: 2, attributes: { 'holdfast.error_code': 'KMS_INTERNAL' } });
    expect(named(spans, 'hsm encrypt try')).toMatchObject({
      statusCode: 2,
      statusMessage: 'CKR_FUNCTION_FAILED',
      attributes: {
        'holdfast.failure.kind': 'rv',
        'pkcs11.return_value': 'CKR_FUNCTION_FAILED',
        'pkcs11.function': 'C_EncryptInit',
      },
    });
    const lines = readFileSync(deployment.logPath, 'utf8').split('\n');
    const requestId = rpc.attributes['holdfast.request_id'] as string;
    const line = lines.find((candidate) => candidate.includes(requestId)) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({ traceId: rpc.traceId, spanId: rpc.spanId });
  });

  test("a refusal that is the caller's own fault is not an error of the server", async () => {
    const { spans } = await traced('Decrypt', { ciphertext_blob: randomBytes(80) });
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({ statusCode: 0, attributes: { 'holdfast.error_code': 'INVALID_CIPHERTEXT' } });
  });
});

test("an unsampled request leaves no span: neither by the ratio, nor by the caller's flag, nor for a stranger", async () => {
  const unsampled = caller(false);
  client.headers = unsampled.headers;
  await client.call('GenerateRandom', { number_of_bytes: 8 });
  client.headers = { traceparent: '00-00000000000000000000000000000000-0000000000000000-01' };
  await client.call('GenerateRandom', { number_of_bytes: 8 });
  client.headers = {};
  await client.call('GenerateRandom', { number_of_bytes: 8 });
  const strange = caller(true);
  const stranger = server.client('stranger');
  stranger.headers = strange.headers;
  await stranger.refusal('GenerateRandom', { number_of_bytes: 8 });
  const before = receiver.spans.length;
  // Spans leave in order: when these have arrived, earlier ones would have.
  const { spans } = await traced('GenerateRandom', { number_of_bytes: 8 });
  expect(receiver.spans).toHaveLength(before + spans.length);
  expect(receiver.trace(unsampled.traceId)).toEqual([]);
  expect(receiver.trace(strange.traceId)).toEqual([]);
});

test('the receiver gets the header of the configuration, not of the environment', () => {
  expect(receiver.headers.at(-1)).toMatchObject({
    authorization: exportToken,
    'content-type': 'application/x-protobuf',
  });
  expect(receiver.headers.at(-1)).not.toHaveProperty('from-the-environment');
  expect(receiver.resources.at(-1)).toEqual({
    'service.name': serviceName,
    'service.version': '0.1.0',
    'process.pid': process.pid,
  });
});

test('a receiver that accepts nothing affects no request, and is logged once', async () => {
  receiver.answerWith(400);
  for (let round = 0; round < 3; round += 1) {
    client.headers = caller(true).headers;
    await client.call('GenerateRandom', { number_of_bytes: 8 });
    client.headers = {};
    const heard = receiver.headers.length;
    await eventually(() =>
      receiver.headers.length > heard ? Promise.resolve() : Promise.reject(new Error('not yet')),
    );
  }
  receiver.answerWith(200);
  const lines = readFileSync(deployment.logPath, 'utf8').split('\n');
  expect(lines.filter((line) => line.includes('"msg":"spans were lost"'))).toHaveLength(1);
});

test('no secret is in the sent data, nor in the log', () => {
  expect(receiver.bodies.length).toBeGreaterThan(0);
  expect(deployment.ledger.findIn('what the receiver got', Buffer.concat(receiver.bodies))).toEqual([]);
  expect(deployment.ledger.findIn('the log', readFileSync(deployment.logPath))).toEqual([]);
});

test('the last spans leave before the server has stopped', async () => {
  const { traceId, headers } = caller(true);
  client.headers = headers;
  await client.call('GenerateRandom', { number_of_bytes: 8 });
  await server.stop();
  expect(receiver.trace(traceId).map(({ name }) => name)).toContain(
    'holdfast.kms.v1.CryptographyService/GenerateRandom',
  );
});
