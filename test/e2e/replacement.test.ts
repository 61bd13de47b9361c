import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { healthCheck } from '../../src/cli/health-method.js';
import { processHealthName } from '../../src/faces/grpc/health-names.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, eventually, type SpawnedServer } from './deployment.js';

/**
 * A real `holdfast serve` in whose module an HSM hangs for good: it is replaced, unless that would take a working HSM
 * from callers.
 */

const openTimeoutMs = 1_000;
const drainTimeoutMs = 1_000;
/** Three module instances that hang, the wait for others, two drains; ten times that. */
const exitBoundMs = 10 * (4 * openTimeoutMs + 2 * drainTimeoutMs);

/** Every call of a lane, of a probe or of opening a member; logins and sessions are not reached. */
const everythingHangs = ['C_EncryptInit hang', 'C_DecryptInit hang', 'C_GetTokenInfo hang', 'C_GenerateRandom hang'];

let deployment: Deployment;

function configure(configuration: Message): void {
  configuration['limits'] = { operationTimeoutMs: 500, requestTimeoutMs: 5_000, drainTimeoutMs };
  configuration['recovery'] = {
    probeDelayMs: 20,
    maximumProbeDelayMs: 100,
    reopenAfterProbes: 1,
    openTimeoutMs,
    maximumStuckOpenings: 1,
    replaceAfterMs: 200,
    leastUptimeMs: 0,
  };
}

afterEach(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

async function started(): Promise<{ server: SpawnedServer; client: HoldfastClient }> {
  const server = await deployment.spawn();
  const client = server.client();
  return { server, client };
}

async function keyOf(client: HoldfastClient, request: Message = {}): Promise<{ keyId: unknown; ciphertext: unknown }> {
  const { key_id: keyId } = (await client.call('CreateKey', request))['key_metadata'] as Message;
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext: randomBytes(32) });
  return { keyId, ciphertext };
}

function logged(message: string): Message[] {
  return readFileSync(deployment.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as Message);
}

function untilLogged(message: string): Promise<void> {
  return eventually(() =>
    logged(message).length > 0 ? Promise.resolve() : Promise.reject(new Error(`not logged yet: ${message}`)),
  );
}

async function exitOf({ child }: SpawnedServer): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit')) as unknown[];
  return code;
}

function health(server: SpawnedServer, service: string): Promise<string> {
  const client = new grpc.Client(`localhost:${server.port}`, deployment.credentials('operator'));
  const { path, requestSerialize, responseDeserialize } = healthCheck;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) => {
      client.close();
      resolve(error?.message ?? answer?.status ?? 'no answer');
    });
  });
}

it('if nothing else serves: drains, exits with its code in bounded time, and its successor serves', async () => {
  deployment = new Deployment({ customClusters: [], faulty: ['default'], configure });
  const fault = deployment.fault('default');
  const { server, client } = await started();
  await server.defaultKeyStoreConnected(client);
  const { ciphertext } = await keyOf(client);
  const logins = fault.calls('C_Login');
  fault.obey(...everythingHangs);
  const hungAtMs = performance.now();
  expect(await client.refusal('Decrypt', { ciphertext_blob: ciphertext })).toMatchObject({
    reason: 'DEPENDENCY_TIMEOUT',
  });
  expect(await exitOf(server)).toBe(exitCodes.replace);
  expect(performance.now() - hungAtMs).toBeLessThan(exitBoundMs);
  const inOrder = ['ALERT: the process asks to be replaced', 'draining', 'lanes still hung at close', 'stopped'];
  const log = readFileSync(deployment.logPath, 'utf8');
  const places = inOrder.map((message) => log.indexOf(`"msg":"${message}"`));
  expect(places).toEqual([...places].sort((one, other) => one - other));
  expect(places).not.toContain(-1);
  expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'Decrypt', errorCode: 'DEPENDENCY_TIMEOUT' });
  expect(fault.calls('C_Login')).toBe(logins);

  fault.heal();
  const successor = await started();
  await successor.server.defaultKeyStoreConnected(successor.client);
  expect(await successor.client.call('Decrypt', { ciphertext_blob: ciphertext })).toHaveProperty('plaintext');
  expect(fault.calls('C_Login')).toBe(logins + 1);
  expect(await successor.server.end('SIGTERM')).toBe(0);
});

it('if another key store serves: stays, reports it, and asks once that one fails', async () => {
  deployment = new Deployment({ faulty: ['default', 'custom'], configure });
  const { server, client } = await started();
  await server.defaultKeyStoreConnected(client);
  const storeId = await connectedKeyStore(client, deployment);
  const stuck = await keyOf(client);
  const well = await keyOf(client, { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  deployment.fault('default').obey(...everythingHangs);
  await client.refusal('Decrypt', { ciphertext_blob: stuck.ciphertext });
  await untilLogged('the process continues with members that are stuck');
  expect(logged('the process continues with members that are stuck')[0]).toMatchObject({
    stuck: [{ clusterId: deployment.defaultCluster.clusterId, memberName: 'a' }],
  });
  expect(await health(server, '')).toBe('SERVING');
  expect(await health(server, processHealthName)).toBe('NOT_SERVING');
  // Several times as long as it would wait.
  for (const untilMs = performance.now() + 2_000; performance.now() < untilMs; ) {
    expect(await client.call('Decrypt', { ciphertext_blob: well.ciphertext })).toHaveProperty('plaintext');
  }
  expect(server.child.exitCode).toBeNull();
  await client.call('DisconnectCustomKeyStore', { custom_key_store_id: storeId });
  expect(await exitOf(server)).toBe(exitCodes.replace);
});

it('if every connect hangs: is replaced, and a PIN refused later is tried once by all successors', async () => {
  deployment = new Deployment({
    customClusters: [],
    faulty: ['default'],
    configure(configuration) {
      configure(configuration);
      configuration['limits'] = { connectTimeoutMs: 1_000, drainTimeoutMs };
    },
  });
  const fault = deployment.fault('default');
  fault.obey('C_GetTokenInfo hang');
  const { server } = await started();
  expect(await exitOf(server)).toBe(exitCodes.replace);
  expect(fault.calls('C_Login')).toBe(0);
  fault.heal();
  fault.obey('C_Login rv 0xa0');
  for (let successor = 0; successor < 3; successor += 1) {
    const failures = (): number => logged('key store did not connect').length;
    const before = failures();
    const { server: next } = await started();
    await eventually(() => (failures() > before ? Promise.resolve() : Promise.reject(new Error('not tried yet'))));
    expect(await next.end('SIGTERM')).toBe(0);
  }
  expect(fault.calls('C_Login')).toBe(1);
});
