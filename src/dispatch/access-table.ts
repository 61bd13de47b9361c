import type { KeysCore } from '../keys/core.js';
import type { KeyStoreAdministration } from '../keystores/administration.js';
import type { StatusCore } from '../status/get-status.js';
import { adminAccess } from './admin-access.js';
import { cryptographyAccess } from './cryptography-access.js';
import type { AccessTable } from './dispatcher.js';
import { aliasAccess, keyAccess } from './key-access.js';
import { keyStoreAccess } from './key-store-access.js';

/** The access table: a row for every method. A method without one does not compile. */
export function accessTable(keys: KeysCore, keyStores: KeyStoreAdministration, admin: StatusCore): AccessTable {
  return {
    ...keyStoreAccess(keyStores),
    ...keyAccess(keys),
    ...aliasAccess(keys),
    ...cryptographyAccess(keys),
    ...adminAccess(admin),
  };
}
