import { connectionStates } from '../keystores/connection-state.js';
import { keyStoreLabel } from '../status/readiness.js';
import type { KeyStoreStatus, ServiceStatus } from '../status/service-status.js';
import type { Metrics } from './metrics.js';
import { showPinAges } from './pin-age-metrics.js';

/**
 * Shows the present status. Series of things that no longer exist, such as a deleted key store or a disk that does not
 * answer, are removed: a value that is not renewed is false.
 */
export function showStatus(metrics: Metrics, status: ServiceStatus): void {
  const { gauges } = metrics;
  showKeyStores(metrics, status.keyStores);
  showDisks(metrics, status.disks);
  gauges.catalogReadable.set(status.catalogReadable ? 1 : 0);
  gauges.catalogWritable.set(status.catalogWritable ? 1 : 0);
  gauges.deletionsHeld.set(status.deletionHold === null ? 0 : 1);
  gauges.auditHealthy.set(status.audit.writable ? 1 : 0);
  gauges.auditFileInPlace.set(status.audit.inPlace ? 1 : 0);
  gauges.openFileDescriptors.set(status.process.openFileDescriptors);
  gauges.maximumFileDescriptors.set(status.process.maximumFileDescriptors);
}

function showKeyStores({ gauges }: Metrics, keyStores: readonly KeyStoreStatus[]): void {
  const { keyStoreState, keyStoreFailed, keyStoreServing, refusedPins } = gauges;
  for (const gauge of [keyStoreState, keyStoreFailed, keyStoreServing, refusedPins]) gauge.reset();
  for (const store of keyStores) {
    const labels = { key_store: keyStoreLabel(store.customKeyStoreId), cluster: store.clusterName };
    for (const state of connectionStates) {
      keyStoreState.set({ ...labels, state }, state === store.connectionState ? 1 : 0);
    }
    if (store.connectionState === 'FAILED')
      keyStoreFailed.set({ ...labels, error_code: store.connectionErrorCode ?? 'INTERNAL_ERROR' }, 1);
    keyStoreServing.set(labels, store.serving ? 1 : 0);
    refusedPins.set(labels, store.refusedTokens.length);
  }
  const labelled = keyStores.map(({ customKeyStoreId, clusterName, pinAge }) => ({
    labels: { key_store: keyStoreLabel(customKeyStoreId), cluster: clusterName },
    pinAge,
  }));
  showPinAges(gauges, labelled);
}

function showDisks({ gauges }: Metrics, disks: ServiceStatus['disks']): void {
  gauges.diskFree.reset();
  gauges.diskSize.reset();
  for (const { holds, freeBytes, sizeBytes } of disks) {
    gauges.diskFree.set({ holds }, freeBytes);
    gauges.diskSize.set({ holds }, sizeBytes);
  }
}
