import { expect, it } from 'vitest';
import type { OpenedCatalog } from './catalog.contract.js';
import { addKey, aliasFor, day, keyRecord, otherScope, scope } from './catalog-records.js';

export function aliasContract(opened: () => OpenedCatalog): void {
  const everything = { scope, targetKeyId: undefined, afterAliasName: undefined, limit: 100 };

  it('keeps an alias exactly, in its scope', async () => {
    const { catalog } = opened();
    const alias = aliasFor(await addKey(catalog), 'alias/app');
    expect(await catalog.createAlias(alias, 50)).toBe('created');
    expect(await catalog.findAlias(scope, 'alias/app')).toEqual(alias);
    expect(await catalog.findAlias(otherScope, 'alias/app')).toBeUndefined();
    expect(await catalog.findAlias(scope, 'alias/App')).toBeUndefined();
  });

  it('takes a name once in a scope', async () => {
    const { catalog } = opened();
    const [first, second] = [await addKey(catalog), await addKey(catalog)];
    const elsewhere = await addKey(catalog, otherScope);
    expect(await catalog.createAlias(aliasFor(first, 'alias/app'), 50)).toBe('created');
    expect(await catalog.createAlias(aliasFor(second, 'alias/app'), 50)).toBe('name-in-use');
    expect(await catalog.createAlias(aliasFor(elsewhere, 'alias/app'), 50)).toBe('created');
    expect((await catalog.findAlias(scope, 'alias/app'))?.targetKeyId).toBe(first.keyId);
  });

  it('gives a name to one of several concurrent callers', async () => {
    const { catalog, another } = opened();
    const key = await addKey(catalog);
    const rivals = [catalog, await another(), catalog, await another()];
    const won = await Promise.all(rivals.map((rival) => rival.createAlias(aliasFor(key, 'alias/app'), 50)));
    expect(won.filter((outcome) => outcome === 'created')).toHaveLength(1);
  });

  it('refuses an alias for a key that does not exist', async () => {
    const { catalog } = opened();
    const alias = aliasFor(keyRecord(), 'alias/app');
    await expect(catalog.createAlias(alias, 50)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    expect(await catalog.findAlias(scope, 'alias/app')).toBeUndefined();
  });

  it('points an alias at another key', async () => {
    const { catalog } = opened();
    const [from, to] = [await addKey(catalog), await addKey(catalog)];
    await catalog.createAlias(aliasFor(from, 'alias/app'), 50);
    expect(await catalog.updateAlias(scope, 'alias/app', to.keyId, day(8), 50)).toBe('updated');
    const moved = { ...aliasFor(to, 'alias/app'), lastUpdatedDate: day(8) };
    expect(await catalog.findAlias(scope, 'alias/app')).toEqual(moved);
    expect(await catalog.updateAlias(scope, 'alias/none', to.keyId, day(8), 50)).toBe('not-found');
    expect(await catalog.updateAlias(otherScope, 'alias/app', to.keyId, day(8), 50)).toBe('not-found');
  });

  it('deletes an alias once, and the name is free again', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    await catalog.createAlias(aliasFor(key, 'alias/app'), 50);
    expect(await catalog.deleteAlias(otherScope, 'alias/app')).toBe(false);
    expect(await catalog.deleteAlias(scope, 'alias/app')).toBe(true);
    expect(await catalog.deleteAlias(scope, 'alias/app')).toBe(false);
    expect(await catalog.findAlias(scope, 'alias/app')).toBeUndefined();
    expect(await catalog.createAlias(aliasFor(key, 'alias/app'), 50)).toBe('created');
  });

  it('pages aliases in the order of their bytes', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    for (const name of ['b', 'a', 'B', '_', '1', 'a/b']) await catalog.createAlias(aliasFor(key, `alias/${name}`), 50);
    await catalog.createAlias(aliasFor(await addKey(catalog, otherScope), 'alias/other'), 50);
    const names = async (afterAliasName: string | undefined, limit: number) =>
      (await catalog.listAliases({ ...everything, afterAliasName, limit })).map((alias) => alias.aliasName.slice(6));
    expect(await names(undefined, 100)).toEqual(['1', 'B', '_', 'a', 'a/b', 'b']);
    expect(await names('alias/_', 2)).toEqual(['a', 'a/b']);
    expect(await names('alias/b', 2)).toEqual([]);
  });

  it('lists and counts the aliases of one key', async () => {
    const { catalog } = opened();
    const [one, two] = [await addKey(catalog), await addKey(catalog)];
    for (const name of ['alias/3', 'alias/1']) await catalog.createAlias(aliasFor(one, name), 50);
    await catalog.createAlias(aliasFor(two, 'alias/2'), 50);
    const ofOne = { ...everything, targetKeyId: one.keyId };
    expect((await catalog.listAliases(ofOne)).map((alias) => alias.aliasName)).toEqual(['alias/1', 'alias/3']);
    const rest = await catalog.listAliases({ ...ofOne, afterAliasName: 'alias/1' });
    expect(rest.map((alias) => alias.aliasName)).toEqual(['alias/3']);
  });

  it('gives a key the maximum and no more, even to concurrent callers', async () => {
    const { catalog, another } = opened();
    const [key, other] = [await addKey(catalog), await addKey(catalog)];
    const rivals = [catalog, await another(), await another()];
    const outcomes = await Promise.all(
      rivals.map((rival, index) => rival.createAlias(aliasFor(key, `alias/${index}`), 2)),
    );
    expect(outcomes.sort()).toEqual(['created', 'created', 'limit-exceeded']);
    await catalog.createAlias(aliasFor(other, 'alias/other'), 2);
    expect(await catalog.updateAlias(scope, 'alias/other', key.keyId, day(8), 2)).toBe('limit-exceeded');
    expect(await catalog.updateAlias(scope, 'alias/other', other.keyId, day(8), 1)).toBe('updated');
  });
}
