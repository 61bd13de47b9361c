import { expect, test } from 'vitest';
import type { TokenInfo } from '../hsm/token-list.js';
import { obstaclesOf } from './token-description.js';

const initialized = 0x408;
const usable: Pick<TokenInfo, 'label' | 'flags' | 'mechanisms'> = {
  label: 'alpha',
  flags: initialized,
  mechanisms: [0x1080, 0x1087],
};

test.each([
  ['a token that can be a member', {}, []],
  ['one that is not initialised', { label: '' }, ['it is not initialised']],
  ['one that is write-protected', { flags: initialized | 0x2 }, ['it is write-protected']],
  ['one without a user PIN', { flags: 0x400 }, ['it has no user PIN']],
  ['one whose PIN is locked', { flags: initialized | 0x4_0000 }, ['its user PIN is locked']],
  ['one without AES-GCM', { mechanisms: [0x1080] }, ['it lacks AES_GCM']],
  [
    'one with several obstacles',
    { flags: 0x402, mechanisms: [] },
    ['it lacks AES_KEY_GEN, AES_GCM', 'it is write-protected', 'it has no user PIN'],
  ],
])('%s', (_what, change, obstacles) => {
  expect(obstaclesOf({ ...usable, ...change } as TokenInfo)).toEqual(obstacles);
});
