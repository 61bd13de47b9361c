import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../../test/key-domain.js';
import { createAlias } from './create-alias.js';
import { deleteAlias } from './delete-alias.js';
import type { KeyRecord } from '../../keys/key.js';
import { listAliases, type ListAliasesRequest } from './list-aliases.js';
import { resolveKey } from '../../keys/resolve-key.js';
import { scheduleKeyDeletion } from '../keys/schedule-key-deletion.js';
import { updateAlias } from './update-alias.js';

let domain: KeyDomain;
let key: KeyRecord;
beforeEach(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey();
});
afterEach(() => domain.close());

const create = (aliasName: string, of = key) => createAlias(domain.core, { key: of, request: { aliasName } });
const update = (aliasName: string, to: KeyRecord) => updateAlias(domain.core, { key: to, request: { aliasName } });
const remove = (aliasName: string) => deleteAlias(domain.core, { request: { aliasName } }, domain.context());
const list = (request: ListAliasesRequest = {}, of?: KeyRecord) =>
  listAliases(domain.core, { key: of, request }, domain.context());
const targetOf = async (aliasName: string) =>
  (await resolveKey(domain.core, key, aliasName, { aliasesAllowed: true })).keyId;
const arn = (aliasName: string) => `arn:aws:kms:eu-central-1:111122223333:${aliasName}`;
const createMany = async (count: number, of = key, prefix = 'alias/many-') => {
  for (let index = 0; index < count; index += 1) await create(`${prefix}${String(index).padStart(3, '0')}`, of);
};
const pendingDeletion = async (of: KeyRecord) => {
  await scheduleKeyDeletion(domain.core, { key: of, request: {} });
  return domain.reread(of);
};

describe('an alias', () => {
  it('names a key, then another, then none', async () => {
    const other = await domain.newKey('custom');
    expect(await create('alias/a')).toEqual({});
    expect(await targetOf('alias/a')).toBe(key.keyId);
    expect(await update('alias/a', other)).toEqual({});
    expect(await targetOf('alias/a')).toBe(other.keyId);
    expect(await remove('alias/a')).toEqual({});
    await expect(targetOf('alias/a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is unique', async () => {
    await create('alias/a');
    await expect(create('alias/a', await domain.newKey())).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: `An alias with the name ${arn('alias/a')} already exists`,
    });
    const results = await Promise.allSettled([create('alias/b'), create('alias/b'), create('alias/b')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it.each([
    ['a', 'VALIDATION'],
    ['Alias/a', 'VALIDATION'],
    ['alias', 'VALIDATION'],
    ['key/a', 'VALIDATION'],
    ['alias/', 'INVALID_ALIAS_NAME'],
    ['alias/aws/', 'INVALID_ALIAS_NAME'],
    ['alias/aws/s3', 'INVALID_ALIAS_NAME'],
  ])('cannot be called %s', async (aliasName, code) => {
    const refused = { code, fieldViolations: [{ field: 'alias_name' }] };
    await expect(create(aliasName)).rejects.toMatchObject(refused);
    await expect(update(aliasName, key)).rejects.toMatchObject(refused);
    await expect(remove(aliasName)).rejects.toMatchObject(refused);
  });

  it('is refused without its prefix, in AWS’s words', async () => {
    await expect(create('a')).rejects.toThrow(
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  });

  it('can be neither changed nor deleted when it does not exist', async () => {
    const refused = { code: 'NOT_FOUND', message: `Alias ${arn('alias/a')} is not found.` };
    await expect(update('alias/a', key)).rejects.toMatchObject(refused);
    await expect(remove('alias/a')).rejects.toMatchObject(refused);
  });

  it('cannot be given to a key that is pending deletion, but can be taken from one', async () => {
    await create('alias/a');
    const other = await domain.newKey();
    const doomed = await pendingDeletion(key);
    const refused = { code: 'KMS_INVALID_STATE', message: `${arn(`key/${key.keyId}`)} is pending deletion.` };
    await expect(create('alias/b', doomed)).rejects.toMatchObject(refused);
    await update('alias/a', other);
    await expect(update('alias/a', doomed)).rejects.toMatchObject(refused);
    expect(await targetOf('alias/a')).toBe(other.keyId);
  });

  it('can be the fiftieth of its key, but not the fifty-first', async () => {
    await createMany(50);
    const refused = { code: 'LIMIT_EXCEEDED' };
    await expect(create('alias/x')).rejects.toMatchObject(refused);
    const other = await domain.newKey();
    await create('alias/x', other);
    await expect(update('alias/x', key)).rejects.toMatchObject(refused);
    await update('alias/many-000', key);
  });
});

describe('ListAliases', () => {
  it('answers what AWS answers, in order of name', async () => {
    await create('alias/b');
    domain.clock.advance(1_000);
    await create('alias/a');
    const creationDate = domain.clock.now();
    const { aliases, truncated, nextMarker } = await list();
    expect({ truncated, nextMarker }).toEqual({ truncated: false, nextMarker: undefined });
    expect(aliases.map(({ aliasName }) => aliasName)).toEqual(['alias/a', 'alias/b']);
    const entry = { aliasName: 'alias/a', aliasArn: arn('alias/a'), targetKeyId: key.keyId };
    expect(aliases[0]).toEqual({ ...entry, creationDate, lastUpdatedDate: creationDate });
    domain.clock.advance(1_000);
    await update('alias/a', key);
    expect((await list()).aliases[0]).toEqual({ ...entry, creationDate, lastUpdatedDate: domain.clock.now() });
  });

  it('pages by fifty, or by the limit of the request', async () => {
    await createMany(50);
    await createMany(10, await domain.newKey(), 'alias/other-');
    const first = await list();
    expect(first).toMatchObject({ aliases: { length: 50 }, truncated: true });
    const second = await list({ marker: first.nextMarker });
    expect(second).toMatchObject({ aliases: { length: 10 }, truncated: false });
    expect([...first.aliases, ...second.aliases]).toEqual((await list({ limit: 100 })).aliases);
  });

  it('can be asked for one key', async () => {
    const other = await domain.newKey();
    await create('alias/a');
    await create('alias/b', other);
    await create('alias/c');
    const first = await list({ limit: 1 }, key);
    expect(first.aliases.map(({ aliasName }) => aliasName)).toEqual(['alias/a']);
    const second = await list({ limit: 1, marker: first.nextMarker }, key);
    expect(second.aliases.map(({ aliasName }) => aliasName)).toEqual(['alias/c']);
    expect(second.truncated).toBe(false);
  });

  it('refuses a limit over 100 and a marker that is not its own', async () => {
    await expect(list({ limit: 101 })).rejects.toMatchObject({
      code: 'VALIDATION',
      fieldViolations: [{ field: 'limit' }],
    });
    await expect(list({ marker: 'x' })).rejects.toMatchObject({ code: 'INVALID_MARKER' });
  });

  it('shows nothing of another account', async () => {
    await create('alias/a');
    const call = { key: undefined, request: {} };
    const { aliases } = await listAliases(domain.core, call, domain.context({ account: '444455556666' }));
    expect(aliases).toEqual([]);
  });
});
