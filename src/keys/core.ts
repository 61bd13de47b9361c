import type { Clock } from '../clock.js';
import type { Identifiers } from '../ids.js';
import type { KeyStores } from '../keystores/key-stores.js';
import type { KeyCatalog } from './catalog.js';
import type { Identity } from './identity.js';

/** What the use cases of keys and of cryptographic operations work with. */
export interface KeysCore {
  readonly catalog: KeyCatalog;
  readonly keyStores: KeyStores;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  /** For what goes wrong where no caller can be told, or where telling would hide an earlier error: for the log. */
  readonly onBackgroundError: BackgroundErrorListener;
}

/** `what` says what was being done, without secrets. */
export type BackgroundErrorListener = (error: unknown, what: string) => void;
