import type { Transaction } from 'kysely';
import type { Clock } from '../clock.js';
import { HoldfastError } from '../errors.js';
import type { LoginAttempt, LoginAttempts } from '../keystores/catalog.js';
import type { CatalogDatabase } from './database.js';
import type { CatalogSchema, LoginAttemptRow } from './schema.js';

type Credential = Pick<LoginAttemptRow, 'token_serial_number' | 'credential_version'>;

/**
 * Login attempts (invariant 7).
 *
 * A live claimant is told from a dead one by where claims are made: under the module's cross-process file lock, which
 * is held from `claim` to `record` and which the kernel releases when its holder dies. So an open claim found by
 * whoever holds that lock was left by a process that died, or that overran the lock's deadline and may have logged in. One
 * whose `C_Login` still hangs holds a lock of its own, on the token and the version of the credential (`hsm/login.ts`).
 */
export function loginAttempts(database: CatalogDatabase, clock: Clock): LoginAttempts {
  return {
    claim: (serialNumber, version, now) => claim(database, credential(serialNumber, version), now),
    reclaim: (serialNumber, version, now) =>
      database.write((transaction) => reopen(transaction, credential(serialNumber, version), now)),
    record: (serialNumber, version, outcome) =>
      record(database, credential(serialNumber, version), outcome, clock.now()),
    listLoginAttempts: () => list(database),
    forgetLoginAttempts: (serialNumber) => forget(database, serialNumber),
  };
}

function credential(tokenSerialNumber: string, credentialVersion: string): Credential {
  return { token_serial_number: tokenSerialNumber, credential_version: credentialVersion };
}

function claim(
  database: CatalogDatabase,
  attempted: Credential,
  now: Date,
): Promise<'claimed' | 'failed' | 'interrupted'> {
  return database.write(async (transaction) => {
    const state = await stateOf(transaction, attempted);
    if (state === 'failed') return 'failed';
    if (state === 'open') return 'interrupted';
    await putState(transaction, attempted, 'open', now);
    return 'claimed';
  });
}

/** A refusal may have been recorded since `claim` said `interrupted`: then nobody may go on to log in. */
async function reopen(transaction: Transaction<CatalogSchema>, attempted: Credential, now: Date): Promise<void> {
  if ((await stateOf(transaction, attempted)) === 'failed') {
    const message = 'The credential was refused by another process meanwhile.';
    throw new HoldfastError('KMS_INTERNAL', message, { retryable: false });
  }
  await putState(transaction, attempted, 'open', now);
}

/**
 * A refusal counts whoever reports it, and however late. Success and `not-tried` close an open claim only: a process
 * that comes late must not undo what was found since.
 */
async function record(
  database: CatalogDatabase,
  attempted: Credential,
  outcome: 'succeeded' | 'failed' | 'not-tried',
  now: Date,
): Promise<void> {
  await database.write(async (transaction) => {
    if (outcome === 'failed') return putState(transaction, attempted, 'failed', now);
    if ((await stateOf(transaction, attempted)) !== 'open') return;
    if (outcome === 'succeeded') return putState(transaction, attempted, 'succeeded', now);
    await transaction
      .deleteFrom('login_attempts')
      .where('token_serial_number', '=', attempted.token_serial_number)
      .where('credential_version', '=', attempted.credential_version)
      .execute();
  });
}

async function stateOf(
  transaction: Transaction<CatalogSchema>,
  attempted: Credential,
): Promise<LoginAttemptRow['state'] | undefined> {
  const row = await transaction
    .selectFrom('login_attempts')
    .select('state')
    .where('token_serial_number', '=', attempted.token_serial_number)
    .where('credential_version', '=', attempted.credential_version)
    .executeTakeFirst();
  return row?.state;
}

async function putState(
  transaction: Transaction<CatalogSchema>,
  attempted: Credential,
  state: LoginAttemptRow['state'],
  now: Date,
): Promise<void> {
  await transaction
    .insertInto('login_attempts')
    .values({ ...attempted, state, claimed_date: now.getTime(), claimed_by: null, lock_domain: null })
    .onConflict((conflict) =>
      conflict
        .columns(['token_serial_number', 'credential_version'])
        .doUpdateSet({ state, claimed_date: now.getTime() }),
    )
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

/** A process that logs in just now still records a refusal: it counts whatever was forgotten. */
async function forget(database: CatalogDatabase, tokenSerialNumber: string): Promise<number> {
  const result = await database.write((transaction) =>
    transaction.deleteFrom('login_attempts').where('token_serial_number', '=', tokenSerialNumber).executeTakeFirst(),
  );
  return Number(result.numDeletedRows);
}
