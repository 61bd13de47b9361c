import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { Secret } from '../../src/secret.js';
import { codeOf } from '../hsm/fixture.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { until } from './replicated-server.js';

/** Invariant 7: not once per lane, reconnect, process or restart; once. */

const wrongPin = 'not this PIN';
// Not through `scripts/faults-main.mjs`, which installs packages and builds: that would pull them from under this run.
const hooks = fileURLToPath(new URL('../contract/typescript-hooks.mjs', import.meta.url));
const program = fileURLToPath(new URL('connect-once.ts', import.meta.url));
let replicas: ReplicatedCluster;

beforeEach(async () => {
  const options = { memberCount: 2, materialCount: 1, lanes: 32, operationTimeoutMs: 2_000 };
  replicas = await ReplicatedCluster.make(options);
});

afterEach(() => replicas.dispose());

/** Failed logins of each member, as the tokens counted them. */
const failedLogins = (): number[] => replicas.members.map(({ fault }) => fault.counts('C_Login').failed);

async function connectInNewProcess(cluster: ReplicatedCluster): Promise<string> {
  const argumentList = ['--import', hooks, program, JSON.stringify(cluster.state), wrongPin];
  const { stdout } = await promisify(execFile)(process.execPath, argumentList);
  return stdout;
}

/** Repeats connects, restarts and processes; all must be refused for the same reason. */
async function storm(cluster: ReplicatedCluster): Promise<void> {
  const clusters = await cluster.clusters();
  const outcomes: string[] = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const outcome = await cluster.connect(wrongPin, clusters);
    outcomes.push(outcome.connected ? 'CONNECTED' : outcome.errorCode);
  }
  for (let restart = 0; restart < 2; restart += 1) {
    const outcome = await cluster.connect(wrongPin);
    outcomes.push(outcome.connected ? 'CONNECTED' : outcome.errorCode);
  }
  outcomes.push(...(await Promise.all(Array.from({ length: 2 }, () => connectInNewProcess(cluster)))));
  expect(new Set(outcomes)).toEqual(new Set(['INVALID_CREDENTIALS']));
}

test('across connects, restarts and processes a wrong PIN costs the first member one login, and the others none', async () => {
  await storm(replicas);
  expect(failedLogins()).toEqual([1, 0]);
  // Whichever member comes first makes its own attempt, and no other member makes a second one.
  const reversed = replicas.restarted([...replicas.members].reverse());
  await storm(reversed);
  await reversed.close();
  const [first, second] = failedLogins();
  expect(first).toBe(1);
  expect(second).toBeLessThanOrEqual(1);
}, 120_000);

test('a PIN that is wrong on one member costs only that member a login, and the cluster serves from the other', async () => {
  const { fault } = replicas.member(1);
  fault.obey('C_Login rv 0xa0');
  for (let restart = 0; restart < 3; restart += 1) {
    await replicas.connect();
    await replicas.close();
  }
  expect(failedLogins()).toEqual([0, 1]);
}, 120_000);

test('a PIN that was changed while both were away costs each at most one login, however often they leave and return', async () => {
  const cluster = await replicas.connected();
  const call = () => ({ deadlineMs: systemClock.monotonicMs() + 2_000 });
  const encrypt = () =>
    cluster.perform(
      'encrypt',
      { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData: Uint8Array.of(0xff, 0xff) },
      call(),
    );
  expect(await codeOf(encrypt())).toBe('no error');
  const before = failedLogins();
  for (const { fault } of replicas.members) fault.obey('C_Login rv 0xa0');
  for (let round = 0; round < 6; round += 1) {
    for (const { fault } of replicas.members) fault.remove('device-removed');
    await Promise.all(Array.from({ length: 64 }, () => codeOf(encrypt())));
    for (const { fault } of replicas.members) fault.restore();
    await Promise.all(Array.from({ length: 64 }, () => codeOf(encrypt())));
    await until('a process has tried the PIN', () =>
      failedLogins().some((count, index) => count > (before[index] ?? 0)),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const spent = () => failedLogins().map((count, index) => count - (before[index] ?? 0));
  expect(Math.max(...spent())).toBe(1);
  for (let restart = 0; restart < 3; restart += 1) {
    const restarted = replicas.restarted();
    await restarted.connect();
    await restarted.close();
  }
  expect(Math.max(...spent())).toBe(1);
}, 120_000);
