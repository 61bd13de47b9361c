import type { PinAgeCatalog } from '../keystores/pin-age.js';
import type { CatalogDatabase } from './database.js';

/** The ages of PINs. The read cache does not keep them. */
export function pinAges(database: CatalogDatabase): PinAgeCatalog {
  return {
    async listPinAges() {
      const rows = await database.read((tables) => tables.selectFrom('pin_ages').selectAll().execute());
      return rows.map((row) => ({
        keyStore: row.key_store,
        credentialVersion: row.credential_version,
        sinceDate: new Date(row.since_date),
        attemptDate: row.attempt_date === null ? null : new Date(row.attempt_date),
      }));
    },
    recordPinAge: ({ keyStore, credentialVersion, sinceDate, attemptDate }) =>
      database.write(async (transaction) => {
        const columns = {
          credential_version: credentialVersion,
          since_date: sinceDate.getTime(),
          attempt_date: attemptDate?.getTime() ?? null,
        };
        await transaction
          .insertInto('pin_ages')
          .values({ key_store: keyStore, ...columns })
          .onConflict((conflict) => conflict.column('key_store').doUpdateSet(columns))
          .execute();
      }),
  };
}
