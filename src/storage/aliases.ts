import type { Transaction } from 'kysely';
import type { AliasQuery, KeyCatalog } from '../keys/catalog.js';
import type { AliasRecord } from '../keys/key.js';
import type { Scope } from '../calls/scope.js';
import { type CatalogDatabase, UniqueConstraintError } from './database.js';
import { aliasRecord, aliasRow } from './rows.js';
import type { CatalogSchema } from './schema.js';

type AliasCatalog = Pick<KeyCatalog, 'createAlias' | 'updateAlias' | 'deleteAlias' | 'findAlias' | 'listAliases'>;

/** Aliases. A foreign key makes sure that their target exists. */
export function aliasCatalog(database: CatalogDatabase): AliasCatalog {
  return {
    createAlias: (alias, mostPerKey) => createAlias(database, alias, mostPerKey),
    updateAlias: (scope, aliasName, targetKeyId, lastUpdatedDate, mostPerKey) =>
      updateAlias(database, scope, aliasName, { targetKeyId, lastUpdatedDate }, mostPerKey),
    deleteAlias: (scope, aliasName) => deleteAlias(database, scope, aliasName),
    findAlias: (scope, aliasName) => findAlias(database, scope, aliasName),
    listAliases: (query) => listAliases(database, query),
  };
}

async function createAlias(
  database: CatalogDatabase,
  alias: AliasRecord,
  mostPerKey: number,
): Promise<'created' | 'name-in-use' | 'limit-exceeded'> {
  try {
    return await database.write(async (transaction) => {
      if ((await countOthers(transaction, alias)) >= mostPerKey) return 'limit-exceeded';
      await transaction.insertInto('aliases').values(aliasRow(alias)).execute();
      return 'created';
    });
  } catch (thrown) {
    if (thrown instanceof UniqueConstraintError && thrown.constraint === 'aliases_name') return 'name-in-use';
    throw thrown;
  }
}

function updateAlias(
  database: CatalogDatabase,
  scope: Scope,
  aliasName: string,
  change: Pick<AliasRecord, 'targetKeyId' | 'lastUpdatedDate'>,
  mostPerKey: number,
): Promise<'updated' | 'not-found' | 'limit-exceeded'> {
  return database.write(async (transaction) => {
    const others = await countOthers(transaction, { ...scope, aliasName, targetKeyId: change.targetKeyId });
    if (others >= mostPerKey) return 'limit-exceeded';
    const result = await transaction
      .updateTable('aliases')
      .set({ target_key_id: change.targetKeyId, last_updated_date: change.lastUpdatedDate.getTime() })
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('alias_name', '=', aliasName)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n ? 'updated' : 'not-found';
  });
}

/** Aliases of the target, without the one that is about to point at it. */
async function countOthers(
  transaction: Transaction<CatalogSchema>,
  alias: Pick<AliasRecord, 'account' | 'region' | 'aliasName' | 'targetKeyId'>,
): Promise<number> {
  const { count } = await transaction
    .selectFrom('aliases')
    .select((columns) => columns.fn.countAll().as('count'))
    .where('account', '=', alias.account)
    .where('region', '=', alias.region)
    .where('target_key_id', '=', alias.targetKeyId)
    .where('alias_name', '!=', alias.aliasName)
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function deleteAlias(database: CatalogDatabase, scope: Scope, aliasName: string): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .deleteFrom('aliases')
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('alias_name', '=', aliasName)
      .executeTakeFirst(),
  );
  return result.numDeletedRows === 1n;
}

async function findAlias(database: CatalogDatabase, scope: Scope, aliasName: string): Promise<AliasRecord | undefined> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('aliases')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('alias_name', '=', aliasName)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : aliasRecord(row);
}

async function listAliases(database: CatalogDatabase, query: AliasQuery): Promise<AliasRecord[]> {
  const { scope, targetKeyId, afterAliasName, limit } = query;
  const rows = await database.read((tables) =>
    tables
      .selectFrom('aliases')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .$if(targetKeyId !== undefined, (select) => select.where('target_key_id', '=', targetKeyId ?? ''))
      .$if(afterAliasName !== undefined, (select) => select.where('alias_name', '>', afterAliasName ?? ''))
      .orderBy('alias_name')
      .limit(limit)
      .execute(),
  );
  return rows.map(aliasRecord);
}
