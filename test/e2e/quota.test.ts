import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CallError, type HoldfastClient, type Message } from './client.js';
import { connectedKeyStore, Deployment, eventually, type RunningServer } from './deployment.js';

/** `operationsPerSecond` of a cluster, as its callers and all others experience it. */

const operationsPerSecond = 2;
const callCount = 60;

let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;

beforeEach(async () => {
  deployment = new Deployment({
    configure: (configuration) => {
      const [, custom] = configuration['clusters'] as Message[];
      Object.assign(custom ?? {}, { operationsPerSecond });
    },
  });
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
});

afterEach(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

async function newKey(request: Message): Promise<unknown> {
  return ((await client.call('CreateKey', request))['key_metadata'] as Message)['key_id'];
}

const encrypt = (keyId: unknown): Promise<Message> =>
  client.call('Encrypt', { key_id: keyId, plaintext: randomBytes(16) });

/** Calls at once; resolves with the refusals. */
async function refusalsOf(keyId: unknown): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: callCount }, () => encrypt(keyId)));
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
}

it('answers THROTTLING with the time to wait, leaves other stores alone, and recovers', async () => {
  const storeId = await connectedKeyStore(client, deployment);
  const limited = await newKey({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  const free = await newKey({});
  const startedMs = performance.now();
  const [refusals, refusalsElsewhere] = await Promise.all([refusalsOf(limited), refusalsOf(free)]);
  const passedSeconds = (performance.now() - startedMs) / 1_000;
  expect(refusalsElsewhere).toEqual([]);
  const served = callCount - refusals.length;
  expect(served).toBeGreaterThanOrEqual(1);
  // A second's worth at once, and what accrued meanwhile.
  expect(served).toBeLessThanOrEqual(operationsPerSecond * (1 + passedSeconds));
  for (const refusal of refusals) {
    expect(refusal).toBeInstanceOf(CallError);
    expect(refusal).toMatchObject({
      status: status.RESOURCE_EXHAUSTED,
      reason: 'THROTTLING',
      domain: 'holdfast.kms',
      message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
    });
    const { retryDelayMs } = refusal as CallError;
    expect(retryDelayMs).toBeGreaterThan(0);
    expect(retryDelayMs).toBeLessThanOrEqual(1_000 / operationsPerSecond);
  }
  const audited = deployment.auditRecords().filter(({ errorCode }) => errorCode === 'THROTTLING');
  expect(audited).toHaveLength(refusals.length);
  // Operations that the quota does not count still succeed.
  expect(await client.call('DescribeKey', { key_id: limited })).toHaveProperty('key_metadata');

  const recovered = await eventually(() => encrypt(limited), 1_000 / operationsPerSecond);
  expect(recovered).toHaveProperty('ciphertext_blob');
});
