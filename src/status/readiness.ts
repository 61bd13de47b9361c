import type { KeyStoreStatus } from './service-status.js';

/** The facts that decide whether this process should get requests. */
export interface ReadinessFacts {
  auditWritable: boolean;
  /** All key stores; undefined if the catalog cannot be read. */
  keyStores: readonly Pick<KeyStoreStatus, 'customKeyStoreId' | 'connectionState' | 'serving'>[] | undefined;
}

/** Which parts of the service can do their work. */
export interface Readiness {
  /** Requests that need no HSM are answered: the audit log can be written and the catalog read. */
  control: boolean;
  /** Requests that need an HSM are answered on at least one key store, or no key store is meant to be connected. */
  cryptography: boolean;
  /** Each key store by `default` or its id: whether its keys can be used in this process. */
  keyStores: ReadonlyMap<string, boolean>;
}

/** The name of a key store for monitoring: its id, never the name that a caller gave it. */
export function keyStoreLabel(customKeyStoreId: string | null): string {
  return customKeyStoreId ?? 'default';
}

/**
 * A process without a key store to connect is ready: its callers must be able to create one. It is not ready while any
 * store should be connected and none serves.
 */
export function readinessOf({ auditWritable, keyStores }: ReadinessFacts): Readiness {
  const control = auditWritable && keyStores !== undefined;
  const stores = keyStores ?? [];
  const wanted = stores.filter(({ connectionState }) => !connectionState.startsWith('DISCONNECT'));
  const cryptography = control && (wanted.length === 0 || wanted.some(({ serving }) => serving));
  const serving = stores.map(
    ({ customKeyStoreId, serving }) => [keyStoreLabel(customKeyStoreId), control && serving] as const,
  );
  return { control, cryptography, keyStores: new Map(serving) };
}
