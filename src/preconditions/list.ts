import { checkBackupFolder } from './backup-folder.js';
import { checkCatalog } from './catalog.js';
import { checkClock } from './clock.js';
import { checkDescriptors } from './descriptors.js';
import { checkAudit, checkLockDirectory } from './directories.js';
import { checkDisk } from './disk.js';
import { checkKeyStores } from './key-stores.js';
import { checkListening } from './listening.js';
import { checkAddon, checkModules } from './modules.js';
import { checkConfigurationFile } from './permissions.js';
import type { Precondition } from './precondition.js';
import { checkSecrets } from './secrets.js';
import { checkTlsFiles } from './tls-files.js';
import { checkTrust } from './trust.js';
import { checkTrustAnchors } from './trust-anchors.js';

/**
 * Everything that the service needs to start and work: the one list of `serve` and `doctor`. `serve` checks it before
 * it opens anything; `doctor` prints it. Only `doctor` asks the HSMs as well, because `serve` opens them anyway, and
 * retries.
 */
export const preconditions: readonly Precondition[] = [
  { name: 'clock', check: checkClock },
  { name: 'configuration-file', check: checkConfigurationFile },
  { name: 'addon', check: checkAddon },
  { name: 'modules', check: checkModules },
  { name: 'secrets', check: checkSecrets },
  { name: 'tls-files', check: checkTlsFiles },
  { name: 'trust-anchors', check: checkTrustAnchors },
  { name: 'trust', check: checkTrust },
  { name: 'listening', check: checkListening },
  { name: 'lock-directory', check: checkLockDirectory },
  { name: 'audit', check: checkAudit },
  { name: 'catalog', check: checkCatalog },
  { name: 'backup-folder', check: checkBackupFolder },
  { name: 'disk', check: (surroundings) => checkDisk(surroundings) },
  { name: 'descriptors', check: (surroundings) => checkDescriptors(surroundings) },
  { name: 'key-stores', check: checkKeyStores },
];
