import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { codeOf } from '../hsm/fixture.js';
import { type ProcessSize, processSize, quarantinedMebibytes } from './process-size.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { type ReplicaMember, until } from './replicated-server.js';

/** `npm run test:faults` hangs a thousand calls, `npm test` fewer. */
const hangCount = process.env['HOLDFAST_FAULTS'] === 'full' ? 1_000 : 100;
const lanes = 16;
const operationTimeoutMs = 300;
/** Threads of the pool besides its lanes: the watchdog, and those that open and log in. */
const ownThreads = 6;
/** The addon may keep this much more than after the first rounds, for the allocator and V8. */
const memoryAllowanceMebibytes = 48 + quarantinedMebibytes;

let replicas: ReplicatedCluster;
let cluster: HsmCluster;

afterEach(() => replicas.dispose());

/** @returns the size of this process before any lane was open. */
async function connect(memberCount: number): Promise<ProcessSize> {
  replicas = await ReplicatedCluster.make({ memberCount, materialCount: 1, lanes, operationTimeoutMs });
  const before = processSize();
  cluster = await replicas.connected();
  return before;
}

/** Callers of all members at once; another member must answer each call that hangs on the ill one. */
async function encryptMany(count: number): Promise<string[]> {
  const call = () => ({ deadlineMs: systemClock.monotonicMs() + 20 * operationTimeoutMs });
  const encrypt = () =>
    cluster.perform(
      'encrypt',
      { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData: Uint8Array.of(0xff, 0xff) },
      call(),
    );
  return Promise.all(Array.from({ length: count }, () => codeOf(encrypt())));
}

test(`${hangCount} hangs in a row: nothing grows, and no caller of the other members notices`, async () => {
  const before = await connect(3);
  const [{ fault }, ...others] = replicas.members as [ReplicaMember, ...ReplicaMember[]];
  let hung = 0;
  let after = processSize();
  let peakThreads = 0;
  for (let rounds = 0; hung < hangCount; rounds += 1) {
    const begun = fault.calls('C_EncryptInit');
    fault.obey('C_EncryptInit hang');
    const codes = await encryptMany(4 * lanes);
    expect(new Set(codes)).toEqual(new Set(['no error']));
    expect(fault.inside('C_EncryptInit')).toBeGreaterThan(0);
    // Hanging calls keep hanging, and the others keep working.
    const worked = others.map((other) => other.fault.counts('C_Encrypt').returned);
    expect(new Set(await encryptMany(4 * lanes))).toEqual(new Set(['no error']));
    expect(fault.inside('C_EncryptInit')).toBeGreaterThan(0);
    const working = others.map((other, index) => other.fault.counts('C_Encrypt').returned - (worked[index] ?? 0));
    expect(Math.min(...working)).toBeGreaterThan(0);
    peakThreads = Math.max(peakThreads, processSize().threads);
    hung += fault.calls('C_EncryptInit') - begun;
    fault.heal();
    await until('what hung has come back', () => fault.inside('C_EncryptInit') === 0);
    await until('the member takes part again', async () => {
      const asked = fault.calls('C_Encrypt');
      await encryptMany(lanes);
      return fault.calls('C_Encrypt') > asked;
    });
    if (rounds === 2) after = processSize();
  }
  const end = processSize();
  process.stdout.write(`${hung} hangs: ${JSON.stringify({ before, after, end, peakThreads })}\n`);
  // All lanes of all members, and a hanging thread for each lane of the ill one.
  const allOpen = before.threads + 3 * lanes + ownThreads;
  expect(peakThreads).toBeLessThanOrEqual(allOpen + lanes);
  expect(end.threads).toBeLessThanOrEqual(allOpen);
  expect(end.descriptors).toBeLessThanOrEqual(after.descriptors + 4);
  expect(end.residentMebibytes).toBeLessThanOrEqual(after.residentMebibytes + memoryAllowanceMebibytes);
  for (const { name, fault: well } of others) {
    for (const work of ['C_EncryptInit', 'C_Encrypt', 'C_GenerateRandom']) expect(well.counts(work).failed).toBe(0);
    expect(replicas.events).not.toContain(`suspended ${name}`);
  }
}, 300_000);

test('an HSM that never returns costs a bounded number of threads, however often it is retried', async () => {
  await connect(2);
  const { fault } = replicas.member(0);
  await encryptMany(4 * lanes);
  const before = processSize();
  fault.obey('* hang');
  for (let round = 0; round < 5; round += 1) {
    expect(new Set(await encryptMany(4 * lanes))).toEqual(new Set(['no error']));
    await new Promise((resolve) => setTimeout(resolve, 2 * operationTimeoutMs));
  }
  const hanging = processSize();
  process.stdout.write(`never released: ${JSON.stringify({ before, hanging })}\n`);
  // Hanging lanes, their replacements, and hangs during a reopen: twice.
  expect(hanging.threads).toBeLessThanOrEqual(before.threads + 4 * lanes);
  expect(replicas.events).not.toContain('suspended b');
}, 120_000);
