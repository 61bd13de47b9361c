/**
 * A process that makes keys on a SoftHSM token of its own: `create-key-load.ts <JSON of CreateKeyLoad>`. Prints one
 * JSON array of `CreateKeyCost`.
 */
import { createHsmFixture, makeMaterial } from '../test/hsm/fixture.js';
import type { HsmCluster } from '../src/clusters/hsm-cluster.js';
import { median } from './statistics.js';

export interface CreateKeyLoad {
  /** Numbers of keys on the token, ascending, around which it measures. */
  levels: readonly number[];
  /** Keys that one measurement makes: half of them before the token has as many as the level says, half after. */
  keysPerLevel: number;
}

/** The HSM's part in the cost of one CreateKey while the token has that many keys. */
export interface CreateKeyCost {
  keysOnToken: number;
  /** CPU time of the whole process, user and system: the median of the keys made. */
  cpuMicrosPerKey: number;
}

async function costsAt(load: CreateKeyLoad, cluster: HsmCluster): Promise<CreateKeyCost[]> {
  const costs: CreateKeyCost[] = [];
  let keys = 0;
  for (const keysOnToken of load.levels) {
    for (; keys < keysOnToken - load.keysPerLevel / 2; keys += 1) await makeMaterial(cluster);
    const micros: number[] = [];
    for (let made = 0; made < load.keysPerLevel; made += 1, keys += 1) micros.push(await cpuMicrosOf(cluster));
    costs.push({ keysOnToken, cpuMicrosPerKey: median(micros) });
  }
  return costs;
}

async function cpuMicrosOf(cluster: HsmCluster): Promise<number> {
  const before = process.cpuUsage();
  await makeMaterial(cluster);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function costsOnNewToken(load: CreateKeyLoad): Promise<CreateKeyCost[]> {
  const fixture = await createHsmFixture();
  try {
    const { libraryPath, environment } = fixture.hsm;
    const module = { ...fixture.fault.module, libraryPath, environment };
    fixture.configure({ members: [fixture.member({ module, laneCount: 1 })] });
    return await costsAt(load, await fixture.connected());
  } finally {
    await fixture.dispose();
  }
}

const load = JSON.parse(process.argv[2] ?? '') as CreateKeyLoad;
// These keys are on a token that is not measured: V8 compiles the code meanwhile.
await costsOnNewToken({ levels: [200], keysPerLevel: 1 });
process.stdout.write(JSON.stringify(await costsOnNewToken(load)));
