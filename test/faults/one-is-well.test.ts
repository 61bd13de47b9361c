import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { codeOf, inTime } from '../hsm/fixture.js';
import { ReplicatedCluster } from './replicated-cluster.js';

/** While one member is well, callers see no error (invariant 8), even if it is the last one tried. */
const additionalData = Uint8Array.of(0xff, 0xff);
const sessionHandleInvalid = 'rv 0xb3';
const work = ['C_EncryptInit', 'C_DecryptInit', 'C_GenerateRandom'];

let replicas: ReplicatedCluster;
let cluster: HsmCluster;

const encrypt = (call = inTime()) =>
  cluster.perform('encrypt', { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData }, call);

async function connect(memberCount: number, hedging = false): Promise<void> {
  const options = { memberCount, materialCount: 1, lanes: 4, operationTimeoutMs: 5_000, cluster: { hedging } };
  replicas = await ReplicatedCluster.make(options);
  cluster = await replicas.connected();
  // All lanes of all members are at work once, which gives each a session to lose.
  await Promise.all(Array.from({ length: 64 }, () => encrypt()));
}

afterEach(() => replicas.dispose());

describe.each([
  ['', false],
  [' (hedging)', true],
] as const)('of three members two are ill, and the third%s', (_name, hedging) => {
  let well: FaultHsm;
  const beIll = (action: string) => {
    for (const index of [0, 1]) replicas.member(index).fault.obey(...work.map((each) => `${each} ${action}`));
  };

  beforeEach(async () => {
    await connect(3, hedging);
    well = replicas.member(2).fault;
  });

  test.each([
    ['CKR_SESSION_HANDLE_INVALID', 0],
    ['CKR_SESSION_CLOSED', 0xb0],
  ])('has lost its sessions (%s)', async (_name, rv) => {
    beIll('rv 0x6');
    well.loseSessions(rv);
    const encrypted = await encrypt();
    const decrypt = () =>
      cluster.perform('decrypt', { material: replicas.material(), encrypted, additionalData }, inTime());
    const calls = Array.from({ length: 10 }, () => [
      encrypt(),
      decrypt(),
      cluster.perform('random', { lengthBytes: 8 }, inTime()),
    ]).flat();
    expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(['no error']));
    expect(replicas.events).not.toContain('suspended c');
  });

  test('loses a session during the encryption', async () => {
    beIll('rv 0x6');
    for (let round = 0; round < 10; round += 1) {
      well.obey(`C_Encrypt times 1 ${sessionHandleInvalid}`);
      expect(await codeOf(encrypt())).toBe('no error');
    }
  });

  test('is tried last, after both have hung', async () => {
    beIll('hang');
    const codes = await Promise.all(
      Array.from({ length: 12 }, () => codeOf(encrypt({ deadlineMs: systemClock.monotonicMs() + 9_000 }))),
    );
    expect(new Set(codes)).toEqual(new Set(['no error']));
  });
});

describe('a single member', () => {
  beforeEach(() => connect(1));

  test('that lost its sessions answers on new ones, each call once', async () => {
    const { fault } = replicas.member(0);
    const encrypted = fault.calls('C_Encrypt');
    fault.loseSessions();
    const codes = await Promise.all(Array.from({ length: 32 }, () => codeOf(encrypt())));
    expect(new Set(codes)).toEqual(new Set(['no error']));
    expect(fault.calls('C_Encrypt') - encrypted).toBe(32);
  });

  test('that has no living session is not retried for ever', async () => {
    const { fault } = replicas.member(0);
    const begun = fault.calls('C_EncryptInit');
    fault.obey(`C_EncryptInit ${sessionHandleInvalid}`);
    expect(await codeOf(encrypt())).toBe('KMS_INTERNAL');
    // Twice on its lane, each time with the HSM's test of another key, and once more by the cluster.
    expect(fault.calls('C_EncryptInit') - begun).toBe(8);
  });
});
