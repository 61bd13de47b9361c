import { describe, expect, it } from 'vitest';
import { keyRecord } from '../../test/contract/catalog-records.js';
import { aliasArn, keyArn, looksLikeArn, parseArn, recordArn } from './arn.js';

const identity = { partition: 'aws' };
const scope = { account: '111122223333', region: 'eu-central-1' };
const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';

describe('ARNs', () => {
  it('are built and parsed', () => {
    const arn = keyArn(identity, { ...scope, keyId });
    expect(arn).toBe(`arn:aws:kms:eu-central-1:111122223333:key/${keyId}`);
    expect(parseArn(arn)).toEqual({ partition: 'aws', ...scope, resource: { kind: 'key', name: keyId } });
  });

  it('of a record are kept with it, for each partition', () => {
    const [one, two] = [keyRecord(), keyRecord()];
    for (const partition of ['aws', 'aws-cn', 'aws']) {
      for (const record of [one, two, one]) {
        expect(recordArn({ partition }, record)).toBe(keyArn({ partition }, record));
      }
    }
  });

  it('keep colons and slashes in an alias name', () => {
    const arn = aliasArn(identity, { ...scope, aliasName: 'alias/team:a/b' });
    expect(arn).toBe('arn:aws:kms:eu-central-1:111122223333:alias/team:a/b');
    expect(parseArn(arn).resource).toEqual({ kind: 'alias', name: 'team:a/b' });
  });

  it.each([
    'arn:',
    'arn:aws:kms',
    'arn::kms:eu-central-1:111122223333:key/x',
    'arn:aws:s3:eu-central-1:111122223333:key/x',
    'arn:aws:kms::111122223333:key/x',
    'arn:aws:kms:eu-central-1::key/x',
    'arn:aws:kms:eu-central-1:11112222333:key/x',
    'arn:aws:kms:eu-central-1:111122223333:key/',
    'arn:aws:kms:eu-central-1:111122223333:alias/',
    'arn:aws:kms:eu-central-1:111122223333:grant/x',
    'arn:aws:kms:eu-central-1:111122223333',
  ])('are refused when malformed: %s', (text) => {
    expect(looksLikeArn(text)).toBe(true);
    expect(() => parseArn(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARN' }));
  });
});
