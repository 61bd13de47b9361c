import { expect, it } from 'vitest';
import type { OpenedCatalog } from './catalog.contract.js';
import { addKey, aliasFor, day, keyRecord, otherScope, scope } from './catalog-records.js';

export function aliasContract(opened: () => OpenedCatalog): void {
  const everything = { scope, targetKeyId: undefined, afterAliasName: undefined, limit: 100 };

  it('keeps an alias exactly, in its scope', async () => {
    const { catalog } = opened();
    const alias = aliasFor(await addKey(catalog), 'alias/app');
    expect(await catalog.createAlias(alias)).toBe(true);
    expect(await catalog.findAlias(scope, 'alias/app')).toEqual(alias);
    expect(await catalog.findAlias(otherScope, 'alias/app')).toBeUndefined();
    expect(await catalog.findAlias(scope, 'alias/App')).toBeUndefined();
  });

  it('gives a name once in a scope', async () => {
    const { catalog } = opened();
    const [first, second] = [await addKey(catalog), await addKey(catalog)];
    const elsewhere = await addKey(catalog, otherScope);
    expect(await catalog.createAlias(aliasFor(first, 'alias/app'))).toBe(true);
    expect(await catalog.createAlias(aliasFor(second, 'alias/app'))).toBe(false);
    expect(await catalog.createAlias(aliasFor(elsewhere, 'alias/app'))).toBe(true);
    expect((await catalog.findAlias(scope, 'alias/app'))?.targetKeyId).toBe(first.keyId);
  });

  it('gives a name to one of several that ask at once', async () => {
    const { catalog, another } = opened();
    const key = await addKey(catalog);
    const rivals = [catalog, await another(), catalog, await another()];
    const won = await Promise.all(rivals.map((rival) => rival.createAlias(aliasFor(key, 'alias/app'))));
    expect(won.filter((one) => one)).toHaveLength(1);
  });

  it('refuses an alias for a key that does not exist', async () => {
    const { catalog } = opened();
    const alias = aliasFor(keyRecord(), 'alias/app');
    await expect(catalog.createAlias(alias)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    expect(await catalog.findAlias(scope, 'alias/app')).toBeUndefined();
  });

  it('points an alias at another key', async () => {
    const { catalog } = opened();
    const [from, to] = [await addKey(catalog), await addKey(catalog)];
    await catalog.createAlias(aliasFor(from, 'alias/app'));
    expect(await catalog.updateAlias(scope, 'alias/app', to.keyId, day(8))).toBe(true);
    const moved = { ...aliasFor(to, 'alias/app'), lastUpdatedDate: day(8) };
    expect(await catalog.findAlias(scope, 'alias/app')).toEqual(moved);
    expect(await catalog.updateAlias(scope, 'alias/none', to.keyId, day(8))).toBe(false);
    expect(await catalog.updateAlias(otherScope, 'alias/app', to.keyId, day(8))).toBe(false);
  });

  it('deletes an alias once, and the name is free again', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    await catalog.createAlias(aliasFor(key, 'alias/app'));
    expect(await catalog.deleteAlias(otherScope, 'alias/app')).toBe(false);
    expect(await catalog.deleteAlias(scope, 'alias/app')).toBe(true);
    expect(await catalog.deleteAlias(scope, 'alias/app')).toBe(false);
    expect(await catalog.findAlias(scope, 'alias/app')).toBeUndefined();
    expect(await catalog.createAlias(aliasFor(key, 'alias/app'))).toBe(true);
  });

  it('pages aliases in the order of their bytes', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    for (const name of ['b', 'a', 'B', '_', '1', 'a/b']) await catalog.createAlias(aliasFor(key, `alias/${name}`));
    await catalog.createAlias(aliasFor(await addKey(catalog, otherScope), 'alias/other'));
    const names = async (afterAliasName: string | undefined, limit: number) =>
      (await catalog.listAliases({ ...everything, afterAliasName, limit })).map((alias) => alias.aliasName.slice(6));
    expect(await names(undefined, 100)).toEqual(['1', 'B', '_', 'a', 'a/b', 'b']);
    expect(await names('alias/_', 2)).toEqual(['a', 'a/b']);
    expect(await names('alias/b', 2)).toEqual([]);
  });

  it('lists and counts the aliases of one key', async () => {
    const { catalog } = opened();
    const [one, two] = [await addKey(catalog), await addKey(catalog)];
    for (const name of ['alias/3', 'alias/1']) await catalog.createAlias(aliasFor(one, name));
    await catalog.createAlias(aliasFor(two, 'alias/2'));
    const ofOne = { ...everything, targetKeyId: one.keyId };
    expect((await catalog.listAliases(ofOne)).map((alias) => alias.aliasName)).toEqual(['alias/1', 'alias/3']);
    const rest = await catalog.listAliases({ ...ofOne, afterAliasName: 'alias/1' });
    expect(rest.map((alias) => alias.aliasName)).toEqual(['alias/3']);
    expect(await catalog.countAliasesOfKey(scope, one.keyId)).toBe(2);
    expect(await catalog.countAliasesOfKey(otherScope, one.keyId)).toBe(0);
  });
}
