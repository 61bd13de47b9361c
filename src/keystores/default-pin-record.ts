/** The PINs that rotations gave to the default key store, as the catalog records them: its configuration has an older one. */
import type { Secret } from '../secret.js';
import type { KeyStoreCatalog, PasswordSealer } from './catalog.js';
import { connectionStates } from './connection-state.js';
import { isPasswordOf } from './password.js';
import type { PinRotation } from './pin-rotation.js';
import type { SealedPin } from './sealed-pin.js';

/** One PIN of the default key store. The versions of a store's PINs rise for ever: no two have one name. */
export interface DefaultPinRecord extends SealedPin {
  /** When a process found this PIN in its configuration, or null. From then on it is the configuration that counts. */
  takenUpDate: Date | null;
}

/** The port to the record of these PINs. */
export interface DefaultPinCatalog {
  /** The PINs by cluster and version, oldest first: the last of a cluster is the present one, the others were replaced. */
  listDefaultPins(clusterId?: string): Promise<DefaultPinRecord[]>;
  /**
   * Puts a PIN that is in the configuration in the place of all before it, and ends the store's rotation.
   * @param seenVersion the newest version that was read
   * @returns false if it is not the newest any more: nothing was written
   */
  takeUpDefaultPin(record: DefaultPinRecord, seenVersion: number): Promise<boolean>;
  /** As `KeyStoreCatalog.resealPassword`. */
  resealDefaultPin(record: DefaultPinRecord, resealed: DefaultPinRecord['password']): Promise<boolean>;
}

/** What the catalog has of one default key store. */
export interface RecordedPins {
  /** Oldest first. */
  pins: readonly DefaultPinRecord[];
  rotation: PinRotation | undefined;
}

/** Reads it. */
export async function recordedPins(
  catalog: DefaultPinCatalog & { listPinRotations(): Promise<PinRotation[]> },
  clusterId: string,
): Promise<RecordedPins> {
  // The rotation first: one that is completed in between has left its PIN among the others.
  const rotations = await catalog.listPinRotations();
  const pins = await catalog.listDefaultPins(clusterId);
  return { pins, rotation: rotations.find(({ customKeyStoreId }) => customKeyStoreId === clusterId) };
}

/**
 * What a configured PIN is to the record.
 * - `counts`: no rotation has replaced a PIN since a configuration had it last.
 * - `present`: it is the one that the last rotation set.
 * - `replaced`: a rotation replaced it, or is about to set it: the catalog's PINs count.
 * - `other`: an operator wants it.
 */
export function standingOf(
  sealer: PasswordSealer,
  { pins, rotation }: RecordedPins,
  configured: Secret,
): 'counts' | 'present' | 'replaced' | 'other' {
  const newest = pins.at(-1);
  if (newest === undefined || newest.takenUpDate !== null) return 'counts';
  if (rotation === undefined && isPin(sealer, newest, configured)) return 'present';
  const known: SealedPin[] = [...pins, ...(rotation === undefined ? [] : [rotation])];
  return known.some((pin) => isPin(sealer, pin, configured)) ? 'replaced' : 'other';
}

/** The PIN of the catalog that counts instead of the configured one. Undefined: the configured one counts. */
export function pinInstead(
  sealer: PasswordSealer,
  recorded: RecordedPins,
  configured: Secret,
): DefaultPinRecord | undefined {
  return standingOf(sealer, recorded, configured) === 'replaced' ? recorded.pins.at(-1) : undefined;
}

/** Whether this is the sealed PIN. One whose sealing key is gone is none that can be known. */
export function isPin(sealer: PasswordSealer, sealed: SealedPin, pin: Secret): boolean {
  try {
    return isPasswordOf(sealer, sealed, pin);
  } catch {
    // Whoever needs the PIN says what is wrong with it.
    return false;
  }
}

/** The present PIN of a key store, custom or default, as the catalog has it. */
export async function findSealedPin(
  catalog: KeyStoreCatalog & DefaultPinCatalog,
  keyStoreId: string,
): Promise<SealedPin | undefined> {
  const stores = await catalog.listStoresInStates(connectionStates);
  const store = stores.find(({ customKeyStoreId }) => customKeyStoreId === keyStoreId);
  return store ?? (await catalog.listDefaultPins(keyStoreId)).at(-1);
}
