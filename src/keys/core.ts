import type { Clock } from '../clock.js';
import type { Identifiers } from '../ids.js';
import type { KeyStores } from '../keystores/key-stores.js';
import type { KeyCatalog } from './catalog.js';
import type { Identity } from './identity.js';

/** The dependencies of the operations on keys and with keys. */
export interface KeysCore {
  readonly catalog: KeyCatalog;
  readonly keyStores: KeyStores;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  /** Logs errors that no caller can get, or that would hide an earlier error. */
  readonly onBackgroundError: BackgroundErrorListener;
}

/** Called with an error that no caller waits for. `what` describes the work that failed, without secrets. */
export type BackgroundErrorListener = (error: unknown, what: string) => void;
