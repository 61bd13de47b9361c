/** The rigs of the matrix: the server with its callers, and below it the operations that no caller requests by name. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock-system.js';
import { HoldfastError } from '../../src/errors.js';
import type { Rig } from './matrix.js';
import { grpcOperations, makeSubject, type Operation, WrongResult } from './operations.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { ReplicatedServer } from './replicated-server.js';

export interface DisposableRig extends Rig {
  dispose(): Promise<void>;
}

/** Long enough for a healthy HSM on a busy machine; otherwise a second member fails too. */
const operationTimeoutMs = 500;
const requestTimeoutMs = 4_000;
const lanes = 4;

export async function serverRig(memberCount: number, { silent = false } = {}): Promise<DisposableRig> {
  const limits = { operationTimeoutMs, requestTimeoutMs };
  const server = await ReplicatedServer.start({ memberCount, keyCount: 2, lanes, ...limits, silent });
  const operations = grpcOperations(await makeSubject(server.client(), server.keyIds));
  return { memberCount, members: server.members, operations, operationTimeoutMs, dispose: () => server.dispose() };
}

/** Clean-up and reconciliation: they must reach every member, so no other can replace an ill one. */
export async function clusterRig(memberCount: number): Promise<DisposableRig> {
  const materialCount = 8;
  const replicas = await ReplicatedCluster.make({ memberCount, materialCount, lanes, operationTimeoutMs });
  const cluster = await replicas.connected();
  const doomed = replicas.materials.map(({ materialId }) => materialId);
  const soon = () => systemClock.monotonicMs() + operationTimeoutMs;
  const operation = (name: string, run: () => Promise<unknown>): Operation => ({
    name,
    primary: 'C_FindObjectsInit',
    failsOver: false,
    oneAtATime: true,
    run: async () => {
      await run();
      return () => Promise.resolve();
    },
  });
  const operations = [
    operation('inventory', async () => {
      const found = await cluster.perform('listMaterialIds', {}, { deadlineMs: soon() });
      for (const { memberName, materialIds } of found) {
        // "0 objects found" is not "key does not exist" (invariant 4).
        if (!doomed.every((id) => materialIds.includes(id))) throw new WrongResult(`${memberName} has too few keys.`);
      }
      // A member that is not open is left out.
      if (found.length < memberCount)
        throw new HoldfastError('KEY_UNAVAILABLE', 'A member is absent.', { retryable: true });
    }),
    // Destroying a missing key is not an error, and asks the token anyway.
    operation('destroy', () =>
      cluster.perform(
        'destroyKeyMaterial',
        { materialId: doomed.pop() ?? randomBytes(32).toString('hex') },
        { deadlineMs: soon() },
      ),
    ),
  ];
  return { memberCount, members: replicas.members, operations, operationTimeoutMs, dispose: () => replicas.dispose() };
}
