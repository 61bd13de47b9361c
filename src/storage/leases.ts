import type { Transaction } from 'kysely';
import { type Lease, LeaseLostError, type Leases } from '../coordination/leases.js';
import type { CatalogDatabase, DatabaseTime } from './database.js';
import type { CatalogSchema } from './schema.js';

/** Leases in the catalog. A row is there as long as its lease is held, or has expired and nobody has looked. */
export function leaseCatalog(database: CatalogDatabase): Leases {
  return {
    acquireLease: (name, holder, ttlMs) => acquire(database, name, holder, ttlMs),
    renewLease: (lease, ttlMs) => renew(database, lease, ttlMs),
    releaseLease: (lease) => release(database, lease),
  };
}

/** The same database for the holder of a lease: a write commits only while the lease is held, and is rolled back otherwise. */
export function fencedDatabase(database: CatalogDatabase, lease: Lease): CatalogDatabase {
  return {
    read: (query) => database.read(query),
    write: (work) =>
      database.write(async (transaction) => {
        await requireLease(transaction, lease, await database.time(transaction));
        return work(transaction);
      }),
    time: (transaction) => database.time(transaction),
  };
}

/** Whether anybody holds a lease of this name. */
export async function isLeased(
  transaction: Transaction<CatalogSchema>,
  name: string,
  now: DatabaseTime,
): Promise<boolean> {
  return (await holderOf(transaction, name, now)) !== undefined;
}

function acquire(database: CatalogDatabase, name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
  return database.write(async (transaction) => {
    const now = await database.time(transaction);
    const current = await holderOf(transaction, name, now);
    if (current !== undefined && current !== holder) return undefined;
    await forgetExpired(transaction, now);
    const fence = await nextFence(transaction);
    const columns = { holder, fence, ...expiry(now, ttlMs) };
    await transaction
      .insertInto('leases')
      .values({ name, ...columns })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(columns))
      .execute();
    return { name, holder, fence };
  });
}

async function renew(database: CatalogDatabase, lease: Lease, ttlMs: number): Promise<boolean> {
  return database.write(async (transaction) => {
    const now = await database.time(transaction);
    if (!(await isHeld(transaction, lease, now))) return false;
    await transaction.updateTable('leases').set(expiry(now, ttlMs)).where('name', '=', lease.name).execute();
    return true;
  });
}

async function release(database: CatalogDatabase, { name, fence }: Lease): Promise<void> {
  await database.write((transaction) =>
    transaction.deleteFrom('leases').where('name', '=', name).where('fence', '=', fence).execute(),
  );
}

async function requireLease(transaction: Transaction<CatalogSchema>, lease: Lease, now: DatabaseTime): Promise<void> {
  if (!(await isHeld(transaction, lease, now))) throw new LeaseLostError(lease);
}

async function isHeld(transaction: Transaction<CatalogSchema>, lease: Lease, now: DatabaseTime): Promise<boolean> {
  const row = await validLeases(transaction, now)
    .select('fence')
    .where('name', '=', lease.name)
    .where('fence', '=', lease.fence)
    .executeTakeFirst();
  return row !== undefined;
}

async function holderOf(
  transaction: Transaction<CatalogSchema>,
  name: string,
  now: DatabaseTime,
): Promise<string | undefined> {
  const row = await validLeases(transaction, now).select('holder').where('name', '=', name).executeTakeFirst();
  return row?.holder;
}

/** One that would last longer than it was given for is of a time that the clock has gone back from: it counts as expired. */
function validLeases(transaction: Transaction<CatalogSchema>, { clock, nowMs }: DatabaseTime) {
  return transaction
    .selectFrom('leases')
    .where('clock', '=', clock)
    .where('expires_ms', '>', nowMs)
    .where('renewed_ms', '<=', nowMs);
}

/** So that processes which died leave nothing behind: the fence is no row's own. */
async function forgetExpired(transaction: Transaction<CatalogSchema>, { clock, nowMs }: DatabaseTime): Promise<void> {
  await transaction
    .deleteFrom('leases')
    .where((row) => row.or([row('clock', '<>', clock), row('expires_ms', '<=', nowMs), row('renewed_ms', '>', nowMs)]))
    .execute();
}

async function nextFence(transaction: Transaction<CatalogSchema>): Promise<number> {
  const { value } = await transaction
    .updateTable('counters')
    .set((columns) => ({ value: columns('value', '+', 1) }))
    .where('name', '=', 'fence')
    .returning('value')
    .executeTakeFirstOrThrow();
  return value;
}

function expiry({ clock, nowMs }: DatabaseTime, ttlMs: number) {
  return { clock, renewed_ms: nowMs, expires_ms: nowMs + Math.ceil(ttlMs) };
}
