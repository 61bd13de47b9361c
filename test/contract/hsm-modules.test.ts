/** Every PKCS#11 module of the tests keeps the promises of the port, through the same cluster and addon. */
import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { describe, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { MemberOptions } from '../../src/hsm/clusters.js';
import { createHsmFixture, type HsmFixture, pin, soon, tokenLabel } from '../hsm/fixture.js';
import { createKryopticHsm, findKryopticLibrary } from '../kryoptic-hsm.js';
import { plantKey } from '../native/fixture.js';
import { putFaultsBefore, type RealHsm } from '../native/fault-hsm.js';
import { createNssHsm, findNssLibrary } from '../nss-hsm.js';
import { createSoftHsm } from '../softhsm.js';
import { hsmClusterContract, type OpenedCluster } from './hsm-cluster.contract.js';

/** A token of one of the modules. */
interface ModuleToken extends RealHsm {
  tokenLabel: string;
  dispose(): void;
}

/** One PKCS#11 implementation: how to make a token of it, or why there is none here. */
type TestedModule = { name: string } & ({ create: () => ModuleToken } | { missing: string });

const nssLibrary = findNssLibrary();
const kryopticLibrary = findKryopticLibrary();

const modules: TestedModule[] = [
  {
    name: 'SoftHSM',
    create: () => ({ ...createSoftHsm({ tokens: [{ label: tokenLabel, userPin: pin }] }), tokenLabel }),
  },
  {
    name: 'NSS softokn',
    ...(nssLibrary === undefined
      ? { missing: 'libsoftokn3.so was not found: install the package libnss3' }
      : { create: () => createNssHsm(nssLibrary, pin) }),
  },
  {
    name: 'kryoptic',
    ...(kryopticLibrary === undefined
      ? { missing: 'it is not built: npm run test:kryoptic builds it where cargo is' }
      : { create: () => createKryopticHsm(kryopticLibrary, tokenLabel, pin) }),
  },
];

const directly = ({
  libraryPath,
  environment,
  initializationString,
  shared,
}: ModuleToken): MemberOptions['module'] => ({
  libraryPath,
  environment,
  initializationString: initializationString ?? null,
  privateInstance: shared !== true,
});

const behindFaults = (token: ModuleToken): MemberOptions['module'] => ({
  ...putFaultsBefore(token).module,
  privateInstance: token.shared !== true,
});

/** A cluster of one member on a new token. */
async function open(
  create: () => ModuleToken,
  moduleOf: (token: ModuleToken) => MemberOptions['module'],
): Promise<OpenedCluster> {
  const token = create();
  const fixture = await createHsmFixture();
  const member = fixture.member({ module: moduleOf(token), tokenLabel: token.tokenLabel });
  fixture.configure({ members: [member] });
  // If the process has only one instance, the intruder shares it.
  const intruding = token.shared === true ? member : { ...member, module: directly(token) };
  return {
    cluster: await fixture.connected(),
    clock: systemClock,
    swapMaterial: (materialId) => swapMaterial(fixture, intruding, materialId),
    close: async () => {
      await fixture.dispose();
      token.dispose();
    },
  };
}

async function swapMaterial(fixture: HsmFixture, on: MemberOptions, materialId: string): Promise<void> {
  const { pool, member } = await fixture.intruder(on);
  const id = Buffer.from(materialId, 'hex');
  const { value } = await pool.readAttributes(member, secretKeyClass, id, soon());
  await pool.destroyKey(member, secretKeyClass, id, soon());
  await plantKey(pool, member, id, value[0]?.label ?? '');
}

for (const module of modules) {
  if ('missing' in module) {
    describe(`HsmCluster contract: ${module.name}`, () => {
      test.skip(module.missing, () => undefined);
    });
    continue;
  }
  hsmClusterContract(module.name, () => open(module.create, directly));
  hsmClusterContract(`fault-injecting module before ${module.name}`, () => open(module.create, behindFaults));
}
