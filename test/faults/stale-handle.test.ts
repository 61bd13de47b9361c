import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { pending } from './pending.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { until } from './replicated-server.js';

/**
 * After removal and return the handle of one key is valid for another (invariant 3). Another HSM with the same keys,
 * which had no fault, decrypts the member's ciphertexts.
 */

const additionalData = Uint8Array.of(0xff, 0xff);
let replicas: ReplicatedCluster;
let oracle: ReplicatedCluster;

afterEach(async () => {
  await replicas.dispose();
  await oracle.dispose();
});

const call = () => ({ deadlineMs: systemClock.monotonicMs() + 5_000 });

async function open(prepare: (fault: FaultHsm) => void): Promise<{ ill: HsmCluster; well: HsmCluster }> {
  const both = { memberCount: 2, materialCount: 2, lanes: 2, operationTimeoutMs: 1_000 };
  const all = await ReplicatedCluster.make(both);
  replicas = all.only(0);
  oracle = all.only(1);
  prepare(replicas.member(0).fault);
  return { ill: await replicas.connected(), well: await oracle.connected() };
}

interface Made {
  material: MaterialReference;
  text: string;
  encrypted: EncryptedData;
}

/** Encrypts under both keys, many times; failures are left out. */
async function encryptUnderBoth(cluster: HsmCluster): Promise<Made[]> {
  const attempts = Array.from({ length: 16 }, async (_, index): Promise<Made> => {
    const material = replicas.material(index % 2);
    const text = `plaintext ${index}`;
    return {
      material,
      text,
      encrypted: await cluster.perform(
        'encrypt',
        { material, plaintext: Secret.fromUtf8(text), additionalData },
        call(),
      ),
    };
  });
  const settled = await Promise.allSettled(attempts);
  return settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

async function opens(well: HsmCluster, { material, text, encrypted }: Made): Promise<boolean> {
  try {
    const opened = await well.perform('decrypt', { material, encrypted, additionalData }, call());
    return Buffer.from(opened.reveal()).toString() === text;
  } catch {
    return false;
  }
}

const returns: [string, (fault: FaultHsm) => void, (fault: FaultHsm) => void][] = [
  [
    'removed and returned with other handles',
    () => undefined,
    (fault) => {
      fault.remove('device-removed');
      fault.renumberObjects();
    },
  ],
  [
    'restarted with other handles (not initialised)',
    (fault) => fault.set('renumberAtStart', 1),
    (fault) => fault.remove('not-initialized'),
  ],
  [
    'lost as SoftHSM loses its folder, other handles after C_Initialize',
    (fault) => fault.set('renumberAtStart', 1),
    (fault) => fault.remove('softhsm'),
  ],
  [
    'sessions lost, and other handles in the new ones',
    () => undefined,
    (fault) => {
      fault.loseSessions();
      fault.renumberObjects();
    },
  ],
];

test.each(returns.filter(([name]) => !pending.has(name)))(
  '%s: no operation uses the wrong key',
  async (_name, prepare, lose) => {
    const { ill, well } = await open(prepare);
    const { fault } = replicas.member(0);
    const made = await encryptUnderBoth(ill);
    expect(made).toHaveLength(16);
    lose(fault);
    made.push(...(await encryptUnderBoth(ill)));
    fault.restore();
    await until('it serves again', async () => {
      const again = await encryptUnderBoth(ill);
      made.push(...again);
      return again.length === 16;
    });
    for (const each of made) {
      expect(await opens(well, each), 'encrypted under the key that was named').toBe(true);
      expect(await opens(ill, each), 'opened by the key that was named').toBe(true);
    }
  },
  90_000,
);

test('the test is real: a module that renumbers objects under a living session goes undetected', async () => {
  const { ill, well } = await open(() => undefined);
  await encryptUnderBoth(ill);
  const other = ({ material }: Made): MaterialReference =>
    replicas.material(material.materialId === replicas.material(0).materialId ? 1 : 0);
  const wrong: Made[] = [];
  // A handle that became a wrapping key's refuses to encrypt, and is looked up again: only some places deceive.
  for (let places = 1; places < 40 && wrong.length === 0; places += 1) {
    for (let place = 0; place < places; place += 1) replicas.member(0).fault.renumberObjects();
    for (const each of await encryptUnderBoth(ill)) if (!(await opens(well, each))) wrong.push(each);
  }
  expect(wrong).not.toEqual([]);
  for (const each of wrong) expect(await opens(well, { ...each, material: other(each) })).toBe(true);
});
