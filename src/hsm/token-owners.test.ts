import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { NativeModuleOptions, NativeTokenInfo } from './native.js';
import { tokenIdentity, TokenOwners, TokenTakenError } from './token-owners.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-owners-'));
const configuration = join(folder, 'token.conf');
writeFileSync(configuration, '');
symlinkSync(configuration, join(folder, 'link.conf'));
symlinkSync(folder, join(folder, 'link'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const module: NativeModuleOptions = {
  libraryPath: '/opt/vendor/lib.so',
  privateInstance: false,
  environment: { CONFIGURATION: configuration },
  initializationString: null,
};
const token: NativeTokenInfo = {
  libraryManufacturer: 'a vendor',
  libraryDescription: 'a library',
  libraryVersion: '1.0',
  slotId: 1n,
  label: 'alpha',
  serialNumber: '4711',
  manufacturer: 'a vendor',
  model: 'a model',
  firmwareVersion: '1.0',
  flags: 0,
  minPinLength: 4,
  maxPinLength: 255,
  maxSessionCount: null,
  maxRwSessionCount: null,
  sessionCount: null,
  rwSessionCount: null,
  mechanisms: [],
};
const withoutNumber: NativeTokenInfo = { ...token, serialNumber: '' };
const otherModule = { ...module, libraryPath: '/elsewhere.so', environment: {}, initializationString: 'x' };

type Reached = [module: NativeModuleOptions, token: NativeTokenInfo];
/** Each pair: one token, or two. */
type Pair = [what: string, same: boolean, one: Reached, other: Reached];
const pairs: Pair[] = [
  ['a serial number through two modules', true, [module, token], [otherModule, token]],
  ['a serial number in another slot', true, [module, token], [module, { ...token, slotId: 2n }]],
  [
    'a serial number whose manufacturer another library names differently',
    true,
    [module, token],
    [otherModule, { ...token, manufacturer: 'x', model: 'y' }],
  ],
  ['two serial numbers', false, [module, token], [module, { ...token, serialNumber: '4712' }]],
  ['the number of a device with two tokens', false, [module, token], [module, { ...token, slotId: 2n, label: 'beta' }]],
  ['no number, the same slot', true, [module, withoutNumber], [module, withoutNumber]],
  [
    'no number, the same slot of a private copy',
    true,
    [module, withoutNumber],
    [{ ...module, privateInstance: true }, withoutNumber],
  ],
  [
    'no number, the same slot of another file of the library',
    true,
    [module, withoutNumber],
    [{ ...module, libraryPath: '/copy.so' }, withoutNumber],
  ],
  ['no number, another slot', false, [module, withoutNumber], [module, { ...withoutNumber, slotId: 2n }]],
  ['no number, another configuration', false, [module, withoutNumber], [otherModule, withoutNumber]],
  [
    'no number, one configuration by two names',
    true,
    [module, withoutNumber],
    [{ ...module, environment: { CONFIGURATION: join(folder, 'link.conf') } }, withoutNumber],
  ],
  ...[`${folder}/`, `${folder}//.`, join(folder, 'link')].map(
    (spelling): Pair => [
      `no number, the same folder spelt ${spelling.replace(folder, '…')}`,
      true,
      [{ ...module, initializationString: `configdir='sql:${folder}' flags=x` }, withoutNumber],
      [{ ...module, initializationString: `configdir='sql:${spelling}' flags=x` }, withoutNumber],
    ],
  ),
  [
    'no number, another folder',
    false,
    [{ ...module, initializationString: `configdir='sql:${folder}'` }, withoutNumber],
    [{ ...module, initializationString: `configdir='sql:${join(folder, 'elsewhere')}'` }, withoutNumber],
  ],
  ['no number, another vendor', false, [module, withoutNumber], [module, { ...withoutNumber, manufacturer: 'x' }]],
  [
    'zeros for a number',
    false,
    [module, { ...token, serialNumber: '0000000000000000' }],
    [otherModule, { ...token, serialNumber: '0000000000000000' }],
  ],
  ['blanks for a number', true, [module, { ...token, serialNumber: '  ' }], [module, { ...token, serialNumber: '  ' }]],
];

test.each(pairs)('%s: one token is %s', (_what, same, one, other) => {
  expect(tokenIdentity(...one) === tokenIdentity(...other)).toBe(same);
});

test('the order of variables has no meaning', () => {
  const environment = { A: '1', B: '2' };
  const turned = { B: '2', A: '1' };
  expect(tokenIdentity({ ...module, environment }, withoutNumber)).toBe(
    tokenIdentity({ ...module, environment: turned }, withoutNumber),
  );
});

describe('owners', () => {
  const first = { clusterId: 'one', memberName: 'a' };
  const second = { clusterId: 'two', memberName: 'a' };

  test('a token belongs to the member that claimed it first, until its cluster is disconnected', () => {
    const owners = new TokenOwners();
    owners.claim(first, module, token);
    owners.claim(first, module, token);
    expect(() => {
      owners.claim(second, otherModule, token);
    }).toThrow(TokenTakenError);
    expect(() => {
      owners.claim({ ...first, memberName: 'b' }, module, token);
    }).toThrow(/'alpha' \(serial number 4711\) is member a of cluster one already/);
    owners.release('one');
    owners.claim(second, module, token);
  });

  test('a member whose token was replaced gives the old one up', () => {
    const owners = new TokenOwners();
    owners.claim(first, module, token);
    owners.claim(first, module, { ...token, serialNumber: '4712' });
    owners.claim(second, module, token);
  });
});
