import { afterAll, beforeAll, expect, it, test } from 'vitest';
import type { HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { inTime, pin, tokenLabel } from '../hsm/fixture.js';
import { WrappedCluster } from '../wrapped-cluster.js';
import { attackToken, type Run, successes } from './extraction.js';

/** Three members as a service uses them: after a ceremony, connected, with a key that was made on one and copied. */
let on: WrappedCluster;
let cluster: HsmCluster;
let material: MaterialReference;
const runs: Run[] = [];

beforeAll(async () => {
  on = await WrappedCluster.make(3);
  cluster = await on.connected();
  ({ material } = await on.makeKey(cluster));
  for (const { hsm } of on.members) {
    const { libraryPath, environment } = hsm;
    const token = { libraryPath, environment, tokenLabel, userPin: pin, soPin: '', options: [] };
    runs.push(await attackToken(token, ['--key-id', material.materialId]));
  }
});
afterAll(() => on.dispose());

const whoNamed = ['user', 'nobody'] as const;

test.each([0, 1, 2])('member %i gives nothing away while it serves', (index) => {
  const run = runs[index];
  if (run === undefined) throw new Error('The member was not attacked.');
  expect(successes(run.results), run.text).toEqual({});
  expect(run.exitCode).toBe(0);
  const tried = run.results.filter(({ outcome }) => outcome === 'refused');
  for (const who of whoNamed) expect(tried.filter((result) => result.who === who).length).toBeGreaterThan(10);
});

it('was attacked where it is: the wrapping keys and the KMS key were seen by the holder of the PIN', () => {
  for (const { results } of runs) {
    const seen = results.filter(({ who, key, outcome }) => who === 'user' && key === 'AES' && outcome === 'refused');
    expect(seen.map(({ attack }) => attack)).toEqual(expect.arrayContaining(['wrap-under-own-aes', 'unwrap-readable']));
  }
});

it('still serves on every member afterwards', async () => {
  const additionalData = new Uint8Array(1);
  const plaintext = Secret.fromUtf8('after the attacks');
  await cluster.perform('encrypt', { material, plaintext, additionalData }, inTime());
  for (const { name } of on.members) {
    await cluster.perform('proveKeyMaterial', { material, memberName: name }, inTime());
  }
});
