/** Every PKCS#11 module that the tests have keeps the promises of the port, through the same cluster and addon. */
import { describe, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { MemberOptions } from '../../src/hsm/clusters.js';
import { createHsmFixture, type HsmFixture, pin, soon } from '../hsm/fixture.js';
import { plantKey } from '../native/fixture.js';
import { putFaultsBefore } from '../native/fault-hsm.js';
import { createNssHsm, findNssLibrary, type NssHsm } from '../nss-hsm.js';
import { hsmClusterContract, type OpenedCluster } from './hsm-cluster.contract.js';

/** A cluster of one member on this module. */
async function open(
  describeMember: (fixture: HsmFixture) => MemberOptions,
  dispose: () => void = () => undefined,
): Promise<OpenedCluster> {
  const fixture = await createHsmFixture();
  const member = describeMember(fixture);
  fixture.configure({ members: [member] });
  return {
    cluster: await fixture.connected(),
    clock: systemClock,
    async swapMaterial(materialId) {
      const intruder = await fixture.intruder(member.module.privateInstance ? undefined : member);
      const id = Buffer.from(materialId, 'hex');
      const { value } = await intruder.pool.readAttributes(intruder.member, id, soon());
      await intruder.pool.destroyKey(intruder.member, id, soon());
      await plantKey(intruder.pool, intruder.member, id, value[0]?.label ?? '');
    },
    close: async () => {
      await fixture.dispose();
      dispose();
    },
  };
}

hsmClusterContract('fault-injecting module before SoftHSM', () => open((fixture) => fixture.member()));

hsmClusterContract('SoftHSM', () =>
  open((fixture) => fixture.member({ module: { ...fixture.fault.module, libraryPath: fixture.hsm.libraryPath } })),
);

const nssLibrary = findNssLibrary();

/** NSS is one instance a process: loaded as it is, and the intruder shares it. */
const nssMember = (fixture: HsmFixture, nss: NssHsm): MemberOptions => {
  const { libraryPath, environment, initializationString, tokenLabel } = nss;
  return fixture.member({
    module: { libraryPath, environment, initializationString, privateInstance: false },
    tokenLabel,
  });
};

if (nssLibrary === undefined) {
  describe('HsmCluster contract: NSS softokn', () => {
    test.skip('libsoftokn3.so was not found: install the package libnss3', () => undefined);
  });
} else {
  hsmClusterContract('NSS softokn', () => {
    const nss = createNssHsm(nssLibrary, pin);
    return open(
      (fixture) => nssMember(fixture, nss),
      () => nss.dispose(),
    );
  });

  hsmClusterContract('fault-injecting module before NSS softokn', () => {
    const nss = createNssHsm(nssLibrary, pin);
    const { module } = putFaultsBefore(nss);
    const shared = { ...module, privateInstance: false };
    return open(
      (fixture) => fixture.member({ module: shared, tokenLabel: nss.tokenLabel }),
      () => nss.dispose(),
    );
  });
}
