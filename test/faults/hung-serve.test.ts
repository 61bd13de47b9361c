import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Deployment } from '../e2e/deployment.js';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { waysInto } from './hung-pool.js';

/**
 * `holdfast serve` with a call that hangs in its module ends at SIGTERM, with exit code 0, within the bound in
 * docs/operating/health.md.
 */

const full = process.env['HOLDFAST_FAULTS'] === 'full';
const drainTimeoutMs = 1_000;
/** Two drains and five seconds; the rest is the machine's. */
const exitBoundMs = 2 * (2 * drainTimeoutMs + 5_000);

let deployment: Deployment;

afterEach(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

function configure(privateInstance: boolean, configuration: Message): void {
  configuration['limits'] = { operationTimeoutMs: 500, requestTimeoutMs: 2_000, drainTimeoutMs };
  const recovery = { probeDelayMs: 20, maximumProbeDelayMs: 100, reopenAfterProbes: 1, openTimeoutMs: 1_000 };
  configuration['recovery'] = { ...recovery, replaceWhenStuck: false };
  for (const module of Object.values(configuration['modules'] as Record<string, Message>))
    module['privateInstance'] = privateInstance;
}

/** Ignores the outcome: the hanging call is answered by its deadline, and the breaker and recovery do their part. */
async function callEverything(client: HoldfastClient, keyId: unknown, ciphertext: unknown): Promise<void> {
  const plaintext = randomBytes(8);
  await Promise.allSettled([
    client.call('GenerateRandom', { number_of_bytes: 8 }),
    client.call('CreateKey'),
    client.call('Encrypt', { key_id: keyId, plaintext }),
    client.call('Decrypt', { ciphertext_blob: ciphertext }),
  ]);
}

const cells = (full ? Object.keys(waysInto) : ['C_Finalize', 'C_CloseSession']).flatMap((functionName) =>
  (full ? [true, false] : [functionName === 'C_Finalize']).map(
    (privateInstance) => [functionName, privateInstance ? 'private' : 'shared', privateInstance] as const,
  ),
);

test.each(cells)(
  'while a call hangs in %s, %s',
  async (functionName, _kind, privateInstance) => {
    deployment = new Deployment({
      customClusters: [],
      faulty: ['default'],
      configure: (configuration: Message) => configure(privateInstance, configuration),
    });
    const fault = deployment.fault('default');
    const server = await deployment.spawn();
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const { key_id: keyId } = (await client.call('CreateKey'))['key_metadata'] as Message;
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
    fault.obey(`${functionName} hang`);
    await callEverything(client, keyId, ciphertext);
    const startedMs = performance.now();
    expect(await server.end('SIGTERM')).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(exitBoundMs);
    expect(readFileSync(deployment.logPath, 'utf8')).toContain('"msg":"stopped"');
  },
  90_000,
);
