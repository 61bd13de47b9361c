import type { Clock } from '../clock.js';
import { aliasCatalog } from './aliases.js';
import { backupRecords } from './backup-records.js';
import { clusterMaterials } from './cluster-materials.js';
import type { Catalog, CatalogDatabase } from './database.js';
import { clusterLoads } from './cluster-loads.js';
import { defaultPins } from './default-pins.js';
import { drainedMembers } from './drained-members.js';
import { encryptionReservations } from './encryption-reservations.js';
import { intentCatalog } from './intents.js';
import { keysAndMaterials } from './keys.js';
import { fencedDatabase, leaseCatalog } from './leases.js';
import { loginAttempts } from './login-attempts.js';
import { pinAges } from './pin-ages.js';
import { pinRotations } from './pin-rotations.js';
import { storeCatalog } from './stores.js';
import { timeRecordCatalog } from './time-record.js';
import { witnessCatalog } from './witnesses.js';

/** The catalog on any database. `clock` dates login attempts. */
export function catalogOn(database: CatalogDatabase, clock: Clock): Catalog {
  return {
    ...intentCatalog(database),
    ...keysAndMaterials(database),
    ...clusterMaterials(database),
    ...encryptionReservations(database),
    ...aliasCatalog(database),
    ...storeCatalog(database),
    ...loginAttempts(database, clock),
    ...timeRecordCatalog(database),
    ...leaseCatalog(database),
    ...drainedMembers(database),
    ...pinRotations(database),
    ...pinAges(database),
    ...defaultPins(database),
    ...clusterLoads(database),
    ...witnessCatalog(database, clock),
    ...backupRecords(database),
    underLease: (lease) => catalogOn(fencedDatabase(database, lease), clock),
  };
}
