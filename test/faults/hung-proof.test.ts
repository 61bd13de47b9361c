import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { Secret } from '../../src/secret.js';
import { codeOf } from '../hsm/fixture.js';
import { ReplicatedCluster } from './replicated-cluster.js';

let replicas: ReplicatedCluster;

beforeEach(async () => {
  replicas = await ReplicatedCluster.make({ memberCount: 2, materialCount: 1, lanes: 4, operationTimeoutMs: 2_000 });
});

afterEach(() => replicas.dispose());

/**
 * Invariant 8: an operation that waits on a lane for another one's proof of the same key is not sent to the same member
 * again.
 */
test('callers behind a proof that hangs are served by the other member', async () => {
  const cluster = await replicas.connected();
  replicas.member(0).fault.obey('C_DecryptInit hang');
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, () =>
      codeOf(
        cluster.perform(
          'encrypt',
          { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData: Uint8Array.of(0xff, 0xff) },
          {
            deadlineMs: systemClock.monotonicMs() + 3_000,
          },
        ),
      ),
    ),
  );
  expect(new Set(outcomes)).toEqual(new Set(['no error']));
}, 60_000);
