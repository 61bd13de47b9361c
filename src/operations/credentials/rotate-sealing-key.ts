import { HoldfastError } from '../../errors.js';
import type { KeyStoreAdministration } from '../../keystores/administration.js';
import { connectionStates } from '../../keystores/connection-state.js';
import { resealedPassword } from '../../keystores/password.js';
import type { DefaultPinRecord } from '../../keystores/default-pin-record.js';
import type { PinRotation } from '../../keystores/pin-rotation.js';
import type { StoreRecord } from '../../keystores/store.js';
import { onAccount } from '../operation.js';

/** Seals all passwords under the first sealing key. */
export interface RotateSealingKeyRequest {
  /** Changes nothing. */
  dryRun?: boolean | undefined;
}

/** The sealing key in use, and the passwords by what became of them. */
export interface RotateSealingKeyResponse {
  sealingKeyId: string;
  resealedPasswords: number;
  currentPasswords: number;
  unreadableCustomKeyStoreIds: string[];
}

type Outcome = 'current' | 'resealed' | 'unreadable';

/** What became of the passwords of each key store. */
type Outcomes = Map<string, Outcome>;

type Sealing = Pick<KeyStoreAdministration, 'keyStoreCatalog' | 'pinRotationCatalog' | 'passwordSealer'>;

/**
 * Passwords stay the same, and so do their versions: no login follows, and refused ones stay refused. Interrupted
 * anywhere, each password is sealed under one key or the other, and both are in the configuration.
 */
export async function rotateSealingKey(
  core: Sealing,
  { dryRun = false }: RotateSealingKeyRequest,
): Promise<RotateSealingKeyResponse> {
  const outcomes: Outcomes = new Map();
  // Another request may change a store meanwhile: then it is looked at again.
  for (let pending = await allStores(core); pending.length > 0; ) {
    const overtaken = new Set<string>();
    for (const store of pending) {
      const outcome = await reseal(core, store, dryRun);
      if (outcome === 'overtaken') overtaken.add(store.customKeyStoreId);
      else outcomes.set(store.customKeyStoreId, outcome);
    }
    const stores = overtaken.size === 0 ? [] : await allStores(core);
    pending = stores.filter(({ customKeyStoreId }) => overtaken.has(customKeyStoreId));
  }
  for (const rotation of await core.pinRotationCatalog.listPinRotations()) {
    const outcome = await resealRotation(core, rotation, dryRun);
    if (outcome !== 'current') outcomes.set(rotation.customKeyStoreId, outcome);
  }
  await resealDefaultPins(core, dryRun, outcomes);
  const having = (wanted: string) => [...outcomes].filter(([, outcome]) => outcome === wanted).map(([id]) => id);
  return {
    sealingKeyId: core.passwordSealer.currentKeyId,
    resealedPasswords: having('resealed').length,
    currentPasswords: having('current').length,
    unreadableCustomKeyStoreIds: having('unreadable'),
  };
}

function allStores({ keyStoreCatalog }: Sealing): Promise<StoreRecord[]> {
  return keyStoreCatalog.listStoresInStates(connectionStates);
}

async function reseal(
  { keyStoreCatalog, passwordSealer }: Sealing,
  store: StoreRecord,
  dryRun: boolean,
): Promise<Outcome | 'overtaken'> {
  if (store.password.sealingKeyId === passwordSealer.currentKeyId) return 'current';
  const resealed = resealedPassword(passwordSealer, store);
  if (resealed === undefined) return 'unreadable';
  if (dryRun) return 'resealed';
  return (await keyStoreCatalog.resealPassword(store, resealed)) ? 'resealed' : 'overtaken';
}

/** The new PIN of a rotation that is under way. If it ends meanwhile its PIN is the store's, which was read already. */
async function resealRotation(
  { pinRotationCatalog, passwordSealer }: Sealing,
  rotation: PinRotation,
  dryRun: boolean,
): Promise<Outcome> {
  if (rotation.password.sealingKeyId === passwordSealer.currentKeyId) return 'current';
  const resealed = resealedPassword(passwordSealer, rotation);
  if (resealed === undefined) return 'unreadable';
  if (dryRun || (await pinRotationCatalog.resealPinRotation(rotation, resealed))) return 'resealed';
  throw new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `The PIN of key store ${rotation.customKeyStoreId} was changed meanwhile. Rotate the sealing key again.`,
    { retryable: true },
  );
}

/** The PINs of the default key store: the present one, and those that it replaced. */
async function resealDefaultPins(core: Sealing, dryRun: boolean, outcomes: Outcomes): Promise<void> {
  for (const record of await core.pinRotationCatalog.listDefaultPins()) {
    const outcome = await resealDefaultPin(core, record, dryRun);
    const before = outcomes.get(record.customKeyStoreId);
    if (before === undefined || before === 'current' || outcome === 'unreadable')
      outcomes.set(record.customKeyStoreId, outcome);
  }
}

async function resealDefaultPin(
  { pinRotationCatalog, passwordSealer }: Sealing,
  record: DefaultPinRecord,
  dryRun: boolean,
): Promise<Outcome> {
  if (record.password.sealingKeyId === passwordSealer.currentKeyId) return 'current';
  const resealed = resealedPassword(passwordSealer, record);
  if (resealed === undefined) return 'unreadable';
  // One that is gone was taken up by the configuration meanwhile.
  if (!dryRun) await pinRotationCatalog.resealDefaultPin(record, resealed);
  return 'resealed';
}

/** The descriptor of RotateSealingKey, with its function. */
export const rotateSealingKeyOperation = onAccount<RotateSealingKeyRequest>({
  plane: 'control',
  audited: ['dryRun'],
  action: 'holdfast:RotateSealingKey',
  run: ({ keyStores }, { request }) => rotateSealingKey(keyStores, request),
});
