/**
 * A process that backs up or restores a catalog, and reports each step to its parent, which kills it at one of them.
 */
import { systemClock } from '../../src/clock-system.js';
import { backupCatalog } from '../../src/storage/backup-catalog.js';
import { createSqliteCatalog } from '../../src/storage/create-catalog.js';
import { restoreCatalog } from '../../src/storage/restore-catalog.js';
import { owner } from './catalog-records.js';

const [, , act, source = '', target = ''] = process.argv;
const step = (): void => void process.send?.('step');
step();
if (act === 'init') await createSqliteCatalog(target, systemClock);
else if (act === 'backup') await backupCatalog(source, target, step);
else await restoreCatalog({ source, target, owner, clock: systemClock, onProgress: step });
step();
process.disconnect();
