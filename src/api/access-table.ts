import type { KeysCore } from '../keys/core.js';
import type { KeyStoreAdministration } from '../keystores/administration.js';
import type { StatusCore } from '../operations/service/get-status.js';
import { adminAccess } from '../operations/service/access.js';
import { cryptographyAccess } from '../operations/cryptography/access.js';
import type { AccessTable } from './dispatcher.js';
import { aliasAccess, keyAccess } from '../operations/keys/access.js';
import { keyStoreAccess } from '../operations/key-stores/access.js';

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
