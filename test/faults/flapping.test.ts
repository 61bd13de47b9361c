/** A member that leaves and returns repeatedly: nothing grows, no PIN is tried needlessly, no caller notices. */
import { afterEach, expect, test } from 'vitest';
import { Secret } from '../../src/secret.js';
import type { HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { codeOf, inTime } from '../hsm/fixture.js';
import { removalKinds } from '../native/fault-hsm.js';
import { processSize, quarantinedMebibytes } from './process-size.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { until } from './replicated-server.js';

const flaps = process.env['HOLDFAST_FAULTS'] === 'full' ? 100 : 12;
/** The number of flaps during which caches fill and lanes open. */
const warmUp = Math.floor(flaps / 4);
const lanes = 8;
const memoryAllowanceMebibytes = 32 + quarantinedMebibytes;

let replicas: ReplicatedCluster;
let cluster: HsmCluster;

afterEach(() => replicas.dispose());

async function encryptMany(): Promise<void> {
  const encrypt = () =>
    cluster.perform(
      'encrypt',
      { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData: Uint8Array.of(0xff, 0xff) },
      inTime(),
    );
  const codes = await Promise.all(Array.from({ length: 4 * lanes }, () => codeOf(encrypt())));
  expect(new Set(codes)).toEqual(new Set(['no error']));
}

test(`a member that leaves and returns ${flaps} times costs no wrong PIN, and leaves nothing behind`, async () => {
  replicas = await ReplicatedCluster.make({ memberCount: 2, materialCount: 1, lanes, operationTimeoutMs: 5_000 });
  cluster = await replicas.connected();
  const { fault } = replicas.member(0);
  const size = () => ({ ...processSize(), sessions: fault.sessions() });
  const events = (wanted: string) => replicas.events.filter((event) => event === wanted).length;
  const isOut = () => events('suspended a') > events('resumed a');
  let after = size();
  for (let flap = 0; flap < flaps; flap += 1) {
    fault.remove(removalKinds[flap % removalKinds.length] ?? 'device-removed');
    await until('its absence is noticed', async () => {
      await encryptMany();
      return isOut();
    });
    fault.restore();
    await until('it is back', () => !isOut());
    await until('it works', async () => {
      const asked = fault.calls('C_Encrypt');
      await encryptMany();
      return fault.calls('C_Encrypt') > asked;
    });
    if (flap === warmUp) after = size();
  }
  const end = size();
  process.stdout.write(`${flaps} flaps: ${JSON.stringify({ after, end, logins: fault.calls('C_Login') })}\n`);
  expect(fault.setting('wrongPins')).toBe(0);
  // Each return costs one login, and perhaps one more that came too early and found no device.
  expect(fault.calls('C_Login')).toBeLessThanOrEqual(2 * flaps + 1);
  expect(end.sessions).toBeLessThanOrEqual(after.sessions + lanes);
  expect(end.threads).toBeLessThanOrEqual(after.threads + 2 * lanes);
  expect(end.descriptors).toBeLessThanOrEqual(after.descriptors + 4);
  expect(end.residentMebibytes).toBeLessThanOrEqual(after.residentMebibytes + memoryAllowanceMebibytes);
  expect(replicas.events).not.toContain('suspended b');
}, 300_000);
