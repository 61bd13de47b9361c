import { connectionStates } from '../keystores/connection-state.js';
import type { ConnectionState } from '../keystores/store.js';
import type { Metrics } from './metrics.js';

/** Shows the state of the key store on a cluster: 1 for the state that it is in, 0 for the others. */
export function showConnectionState(metrics: Metrics | undefined, clusterId: string, current: ConnectionState): void {
  if (metrics === undefined) return;
  const cluster = metrics.cluster(clusterId);
  for (const state of connectionStates) {
    metrics.gauges.keyStoreState.set({ cluster, state }, state === current ? 1 : 0);
  }
}
