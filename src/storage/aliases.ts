import type { AliasQuery, KeyCatalog } from '../keys/catalog.js';
import type { AliasRecord, Scope } from '../keys/key.js';
import { type CatalogDatabase, UniqueConstraintError } from './database.js';
import { aliasRecord, aliasRow } from './rows.js';

type AliasCatalog = Pick<
  KeyCatalog,
  'createAlias' | 'updateAlias' | 'deleteAlias' | 'findAlias' | 'listAliases' | 'countAliasesOfKey'
>;

/** Aliases. Their target must exist: a foreign key. */
export function aliasCatalog(database: CatalogDatabase): AliasCatalog {
  return {
    createAlias: (alias) => createAlias(database, alias),
    updateAlias: (scope, aliasName, targetKeyId, lastUpdatedDate) =>
      updateAlias(database, scope, aliasName, { targetKeyId, lastUpdatedDate }),
    deleteAlias: (scope, aliasName) => deleteAlias(database, scope, aliasName),
    findAlias: (scope, aliasName) => findAlias(database, scope, aliasName),
    listAliases: (query) => listAliases(database, query),
    countAliasesOfKey: (scope, keyId) => countAliasesOfKey(database, scope, keyId),
  };
}

async function createAlias(database: CatalogDatabase, alias: AliasRecord): Promise<boolean> {
  try {
    await database.write((transaction) => transaction.insertInto('aliases').values(aliasRow(alias)).execute());
    return true;
  } catch (thrown) {
    if (thrown instanceof UniqueConstraintError && thrown.constraint === 'aliases_name') return false;
    throw thrown;
  }
}

async function updateAlias(
  database: CatalogDatabase,
  scope: Scope,
  aliasName: string,
  change: Pick<AliasRecord, 'targetKeyId' | 'lastUpdatedDate'>,
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('aliases')
      .set({ target_key_id: change.targetKeyId, last_updated_date: change.lastUpdatedDate.getTime() })
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('alias_name', '=', aliasName)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
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

async function countAliasesOfKey(database: CatalogDatabase, scope: Scope, keyId: string): Promise<number> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('aliases')
      .select((columns) => columns.fn.countAll().as('count'))
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('target_key_id', '=', keyId)
      .executeTakeFirstOrThrow(),
  );
  return Number(row.count);
}
