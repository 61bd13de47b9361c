import type { Transaction } from 'kysely';
import type { Clock } from '../clock.js';
import { presenceLease } from '../coordination/presence.js';
import type { Claimant, LoginAttempt, LoginAttempts } from '../keystores/catalog.js';
import type { CatalogDatabase } from './database.js';
import { isLeased } from './leases.js';
import type { CatalogSchema, LoginAttemptRow } from './schema.js';

type Credential = Pick<LoginAttemptRow, 'token_serial_number' | 'credential_version'>;
type ClaimColumns = Pick<LoginAttemptRow, 'state' | 'claimed_by' | 'lock_domain'>;

/**
 * Login attempts (invariant 7).
 *
 * A live claimant is distinguished from a dead one in two ways. Processes that share lock files hold them from `claim` to `record`,
 * and the kernel releases them when their holder dies. So an open claim of the caller's own lock domain was left by a
 * process that died, or that overran its deadline. One whose `C_Login` still hangs holds a lock of its own
 * (`hsm/login.ts`). For all other processes, the lease on their name shows whether they live.
 */
export function loginAttempts(database: CatalogDatabase, clock: Clock): LoginAttempts {
  return {
    claim: (serialNumber, version, claimant, now) =>
      database.write(async (transaction) => {
        const attempted = credential(serialNumber, version);
        const state = await claimState(database, transaction, attempted, claimant);
        if (state === 'free') await openClaim(transaction, attempted, claimant, now);
        return state === 'free' ? 'claimed' : state;
      }),
    reclaim: (serialNumber, version, claimant, now) =>
      database.write(async (transaction) => {
        const attempted = credential(serialNumber, version);
        const state = await claimState(database, transaction, attempted, claimant);
        if (state === 'failed' || state === 'in-progress') return state;
        await openClaim(transaction, attempted, claimant, now);
        return 'claimed';
      }),
    record: (serialNumber, version, claimant, outcome) =>
      record(database, credential(serialNumber, version), claimant, outcome, clock.now()),
    listLoginAttempts: () => list(database),
    forgetLoginAttempts: (serialNumber) => forget(database, serialNumber),
  };
}

function credential(tokenSerialNumber: string, credentialVersion: string): Credential {
  return { token_serial_number: tokenSerialNumber, credential_version: credentialVersion };
}

async function claimState(
  database: CatalogDatabase,
  transaction: Transaction<CatalogSchema>,
  attempted: Credential,
  claimant: Claimant,
): Promise<'free' | 'failed' | 'in-progress' | 'interrupted'> {
  const row = await rowOf(transaction, attempted);
  if (row?.state === 'failed') return 'failed';
  if (row?.state !== 'open') return 'free';
  const { claimed_by: processName, lock_domain: lockDomain } = row;
  // Written by a version that recorded no claimants: only locks protected it.
  if (processName === null || processName === claimant.processName) return 'interrupted';
  if (lockDomain === claimant.lockDomain) return 'interrupted';
  const now = await database.time(transaction);
  return (await isLeased(transaction, presenceLease(processName), now)) ? 'in-progress' : 'interrupted';
}

function openClaim(
  transaction: Transaction<CatalogSchema>,
  attempted: Credential,
  { processName, lockDomain }: Claimant,
  now: Date,
): Promise<void> {
  return putState(transaction, attempted, { state: 'open', claimed_by: processName, lock_domain: lockDomain }, now);
}

/** A late process must not undo what was found since, nor close the claim of its successor. */
async function record(
  database: CatalogDatabase,
  attempted: Credential,
  { processName }: Claimant,
  outcome: 'succeeded' | 'failed' | 'not-tried',
  now: Date,
): Promise<void> {
  const closed = { claimed_by: null, lock_domain: null };
  await database.write(async (transaction) => {
    if (outcome === 'failed') return putState(transaction, attempted, { state: 'failed', ...closed }, now);
    const row = await rowOf(transaction, attempted);
    if (row?.state !== 'open' || row.claimed_by !== processName) return;
    if (outcome === 'succeeded') return putState(transaction, attempted, { state: 'succeeded', ...closed }, now);
    await transaction
      .deleteFrom('login_attempts')
      .where('token_serial_number', '=', attempted.token_serial_number)
      .where('credential_version', '=', attempted.credential_version)
      .execute();
  });
}

function rowOf(transaction: Transaction<CatalogSchema>, attempted: Credential): Promise<ClaimColumns | undefined> {
  return transaction
    .selectFrom('login_attempts')
    .select(['state', 'claimed_by', 'lock_domain'])
    .where('token_serial_number', '=', attempted.token_serial_number)
    .where('credential_version', '=', attempted.credential_version)
    .executeTakeFirst();
}

async function putState(
  transaction: Transaction<CatalogSchema>,
  attempted: Credential,
  claim: ClaimColumns,
  now: Date,
): Promise<void> {
  const columns = { ...claim, claimed_date: now.getTime() };
  await transaction
    .insertInto('login_attempts')
    .values({ ...attempted, ...columns })
    .onConflict((conflict) => conflict.columns(['token_serial_number', 'credential_version']).doUpdateSet(columns))
    .execute();
}

async function list(database: CatalogDatabase): Promise<LoginAttempt[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('login_attempts')
      .selectAll()
      .orderBy('token_serial_number')
      .orderBy('claimed_date', 'desc')
      .orderBy('credential_version')
      .execute(),
  );
  return rows.map((row) => ({
    tokenSerialNumber: row.token_serial_number,
    credentialVersion: row.credential_version,
    state: row.state,
    date: new Date(row.claimed_date),
  }));
}

/** Does not affect a login in progress: its refusal is still recorded and counts. */
async function forget(database: CatalogDatabase, tokenSerialNumber: string): Promise<number> {
  const result = await database.write((transaction) =>
    transaction.deleteFrom('login_attempts').where('token_serial_number', '=', tokenSerialNumber).executeTakeFirst(),
  );
  return Number(result.numDeletedRows);
}
