import { HoldfastError } from '../errors.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { CatalogDatabase } from './database.js';

/**
 * Encryptions that processes have reserved (invariant 9). A repeated transaction reserves once, because the earlier one
 * was rolled back; a commit with an unknown outcome loses its reservation and no more.
 */
export function encryptionReservations(database: CatalogDatabase): Pick<KeyCatalog, 'reserveEncryptions'> {
  return { reserveEncryptions: (materialId, count) => reserve(database, materialId, count) };
}

async function reserve(database: CatalogDatabase, materialId: string, count: number): Promise<number> {
  const total = await database.write(async (transaction) => {
    const material = await transaction
      .selectFrom('materials')
      .select('material_id')
      .where('material_id', '=', materialId)
      .where('destroyed_date', 'is', null)
      .executeTakeFirst();
    if (material === undefined) return undefined;
    const row = await transaction
      .insertInto('encryption_reservations')
      .values({ material_id: materialId, reserved_encryptions: count })
      .onConflict((conflict) =>
        conflict.column('material_id').doUpdateSet((columns) => ({
          reserved_encryptions: columns('encryption_reservations.reserved_encryptions', '+', count),
        })),
      )
      .returning('reserved_encryptions')
      .executeTakeFirstOrThrow();
    return row.reserved_encryptions;
  });
  if (total !== undefined) return total;
  throw new HoldfastError('KMS_INTERNAL', 'The catalog has no key material to encrypt under.', {
    cause: new Error(`Encryptions were to be reserved for material ${materialId}.`),
    retryable: false,
  });
}
