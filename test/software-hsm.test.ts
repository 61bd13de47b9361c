import { systemClock } from '../src/clock-system.js';
import { hsmClusterContract } from './contract/hsm-cluster.contract.js';
import { SoftwareHsmCluster } from './software-hsm.js';

hsmClusterContract('software', () => {
  const cluster = new SoftwareHsmCluster('cluster-1234567abcd', systemClock);
  return Promise.resolve({
    cluster,
    clock: systemClock,
    swapMaterial: (materialId) => cluster.swapMaterial(materialId),
    close: () => undefined,
  });
});
