/** Three members with the same keys keep the promises of the port as one does. */
import { systemClock } from '../../src/clock-system.js';
import { WrappedCluster } from '../wrapped-cluster.js';
import { hsmClusterContract } from './hsm-cluster.contract.js';

hsmClusterContract('three members of a wrapped cluster', async () => {
  const on = await WrappedCluster.make(3);
  const cluster = await on.connected();
  return {
    cluster,
    clock: systemClock,
    async swapMaterial(materialId) {
      for (const index of on.members.keys()) {
        const intruder = await on.intruder(index);
        await intruder.destroy(materialId);
        await intruder.plant(materialId, 'swapped');
        await intruder.close();
      }
    },
    close: () => on.dispose(),
  };
});
