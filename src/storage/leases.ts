import type { Transaction } from 'kysely';
import { type Lease, LeaseLostError, type Leases } from '../coordination/leases.js';
import type { CatalogDatabase, DatabaseTime } from './database.js';
import type { CatalogSchema, LeaseRow } from './schema.js';

/** Leases in the catalog. A row exists while its lease is held, or has expired and was not yet replaced. */
export function leaseCatalog(database: CatalogDatabase): Leases {
  return {
    acquireLease: (name, holder, ttlMs) => acquire(database, name, holder, ttlMs),
    renewLease: (lease, ttlMs) => renew(database, lease, ttlMs),
    releaseLease: (lease) => release(database, lease),
  };
}

/**
 * The database for the holder of a lease: a write commits only while the lease is held, and is rolled back otherwise.
 */
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

/** Whether any process holds a lease of this name. */
export async function isLeased(
  transaction: Transaction<CatalogSchema>,
  name: string,
  now: DatabaseTime,
): Promise<boolean> {
  return (await validLease(transaction, name, now)) !== undefined;
}

function acquire(database: CatalogDatabase, name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
  return database.write(async (transaction) => {
    const now = await database.time(transaction);
    const current = await validLease(transaction, name, now);
    if (current !== undefined && current.holder !== holder) return undefined;
    await forgetExpired(transaction, now);
    const fence = await nextFence(transaction);
    const columns = { holder, fence, ...expiry(now, ttlMs, current) };
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
    const current = await validLease(transaction, lease.name, now);
    if (current?.fence !== lease.fence) return false;
    await transaction
      .updateTable('leases')
      .set(expiry(now, ttlMs, current))
      .where('name', '=', lease.name)
      .execute();
    return true;
  });
}

async function release(database: CatalogDatabase, { name, fence }: Lease): Promise<void> {
  await database.write((transaction) =>
    transaction.deleteFrom('leases').where('name', '=', name).where('fence', '=', fence).execute(),
  );
}

async function requireLease(transaction: Transaction<CatalogSchema>, lease: Lease, now: DatabaseTime): Promise<void> {
  const current = await validLease(transaction, lease.name, now);
  if (current?.fence !== lease.fence) throw new LeaseLostError(lease);
}

type ValidLease = Pick<LeaseRow, 'holder' | 'fence' | 'expires_ms'>;

function validLease(
  transaction: Transaction<CatalogSchema>,
  name: string,
  now: DatabaseTime,
): Promise<ValidLease | undefined> {
  return validLeases(transaction, now)
    .select(['holder', 'fence', 'expires_ms'])
    .where('name', '=', name)
    .executeTakeFirst();
}

/** A lease whose renewal is in the future was renewed before the clock went back: it counts as expired. */
function validLeases(transaction: Transaction<CatalogSchema>, { clock, nowMs }: DatabaseTime) {
  return transaction
    .selectFrom('leases')
    .where('clock', '=', clock)
    .where('expires_ms', '>', nowMs)
    .where('renewed_ms', '<=', nowMs);
}

/** Removes the rows of dead processes. The fence is not lost with them, because it has a counter of its own. */
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

/**
 * When the lease expires, never earlier than before: a heartbeat must not shorten the time that a login was promised.
 */
function expiry({ clock, nowMs }: DatabaseTime, ttlMs: number, current: ValidLease | undefined) {
  const expiresMs = Math.max(nowMs + Math.ceil(ttlMs), current?.expires_ms ?? 0);
  return { clock, renewed_ms: nowMs, expires_ms: expiresMs };
}
