/** What a program with the PIN sees and does to the witnesses on a token: through a module instance of its own. */
import type { NativeWitness } from '../../src/hsm/native-witness.js';
import { addon, connect, memberOptions, moduleOf, soon } from '../native/fixture.js';
import type { PromisePool } from '../native/promise-pool.js';
import type { SoftHsm } from '../softhsm.js';
import type { ClusterOfTest } from './deployment.js';

async function withToken<T>(
  hsm: SoftHsm,
  { tokenLabel, pin }: ClusterOfTest,
  use: (pool: PromisePool, member: number) => Promise<T>,
): Promise<T> {
  const pool = addon.createPool(10);
  try {
    return await use(pool, await connect(pool, memberOptions(moduleOf(hsm), tokenLabel), pin));
  } finally {
    await pool.close(soon());
  }
}

export function witnessesOn(hsm: SoftHsm, cluster: ClusterOfTest): Promise<NativeWitness[]> {
  return withToken(hsm, cluster, async (pool, member) => {
    return (await pool.witnesses(member, cluster.clusterId, soon())).value;
  });
}

/** Replaces the witnesses, unless they are of the same incarnation and further on. */
export function plantWitness(hsm: SoftHsm, cluster: ClusterOfTest, witness: NativeWitness): Promise<unknown> {
  return withToken(hsm, cluster, (pool, member) => pool.writeWitness(member, cluster.clusterId, witness, soon()));
}
