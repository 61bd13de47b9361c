import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain, scope } from '../../test/key-domain.js';
import { createAlias } from '../operations/aliases/create-alias.js';
import type { KeyRecord } from './key.js';
import { resolveKey } from './resolve-key.js';

let domain: KeyDomain;
let key: KeyRecord;
const aliasName = 'alias/team:payments/main';
const unknownId = '00000000-0000-4000-8000-000000000000';
const prefix = 'arn:aws:kms:eu-central-1:111122223333';

beforeAll(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey();
  await createAlias(domain.core, { key, request: { aliasName } });
});
afterAll(() => domain.close());

// Async: a refusal that is thrown at once becomes a rejection here.
const resolve = async (identifier: string, aliasesAllowed = true, of = scope) =>
  resolveKey(domain.core, of, identifier, { aliasesAllowed });
const notFound = (message: string) => ({ code: 'NOT_FOUND', message });

describe('resolving a key', () => {
  it('takes a key id and a key ARN', async () => {
    expect(await resolve(key.keyId)).toEqual(key);
    expect(await resolve(`${prefix}:key/${key.keyId}`, false)).toEqual(key);
  });

  it('takes an alias and an alias ARN if they are allowed', async () => {
    expect(await resolve(aliasName)).toEqual(key);
    expect(await resolve(`${prefix}:${aliasName}`)).toEqual(key);
    await expect(resolve(aliasName, false)).rejects.toMatchObject(notFound(`Invalid keyId '${aliasName}'`));
    const arn = `${prefix}:${aliasName}`;
    const fieldViolations = [
      { field: 'key_id', description: expect.stringContaining('An alias is not accepted here') as string },
    ];
    await expect(resolve(arn, false)).rejects.toMatchObject({ ...notFound(`Invalid keyId '${arn}'`), fieldViolations });
  });

  it('reports a missing key in AWS’s words', async () => {
    const unknownArn = `${prefix}:key/${unknownId}`;
    const words = notFound(`Key '${unknownArn}' does not exist`);
    await expect(resolve(unknownId)).rejects.toMatchObject(words);
    await expect(resolve(unknownArn)).rejects.toMatchObject(words);
    await expect(resolve('mrk-' + '0'.repeat(32))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(resolve('alias/other')).rejects.toMatchObject(notFound(`Alias ${prefix}:alias/other is not found.`));
    await expect(resolve(`${prefix}:key/rubbish`)).rejects.toMatchObject(notFound("Invalid keyId 'rubbish'"));
  });

  it.each(['rubbish', '', 'alias', '__proto__', unknownId.slice(1), `${unknownId} `, `mrk-${'g'.repeat(32)}`])(
    'recognises text that cannot be a key id: %j',
    async (identifier) => {
      await expect(resolve(identifier)).rejects.toMatchObject(notFound(`Invalid keyId '${identifier}'`));
    },
  );

  it('finds nothing of another partition, region or account', async () => {
    const foreign = (from: string, to: string) => resolve(`${prefix}:key/${key.keyId}`.replace(from, to));
    await expect(foreign('arn:aws:', 'arn:aws-cn:')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(foreign('eu-central-1', 'us-east-1')).rejects.toMatchObject(notFound('Invalid arn us-east-1'));
    const otherAccount = `${prefix}:key/${key.keyId}`.replace('111122223333', '444455556666');
    await expect(resolve(otherAccount)).rejects.toMatchObject(notFound(`Key '${otherAccount}' does not exist`));
    const otherAlias = `${prefix}:${aliasName}`.replace('111122223333', '444455556666');
    await expect(resolve(otherAlias)).rejects.toMatchObject(notFound(`Alias ${otherAlias} is not found.`));
    await expect(resolve(key.keyId, true, { ...scope, account: '444455556666' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(resolve(aliasName, true, { ...scope, region: 'us-east-1' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('refuses ARNs that are not KMS’s', async () => {
    await expect(resolve('arn:aws:s3:eu-central-1:111122223333:key/x')).rejects.toMatchObject({ code: 'INVALID_ARN' });
  });

  it('does not see a key whose deletion has begun, under any name', async () => {
    const doomed = await domain.newKey();
    await createAlias(domain.core, { key: doomed, request: { aliasName: 'alias/doomed' } });
    const words = notFound(`Key '${prefix}:key/${doomed.keyId}' does not exist`);
    const gone = { deletionDate: domain.clock.now(), pendingDeletionWindowInDays: 7 };
    await domain.catalog.changeKeyState(scope, doomed.keyId, ['Enabled'], { state: 'Deleting', ...gone });
    await expect(resolve(doomed.keyId)).rejects.toMatchObject(words);
    await expect(resolve('alias/doomed')).rejects.toMatchObject(words);
    await domain.catalog.completeDeletion(scope, doomed.keyId, domain.clock.now());
    await expect(resolve(doomed.keyId)).rejects.toMatchObject(words);
  });
});
