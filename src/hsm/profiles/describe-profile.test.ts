import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeProfile, profileRow } from './describe-profile.js';
import { profileNames } from './profile.js';
import { vendorProfiles } from './profiles.js';

const page = readFileSync(new URL('../../../docs/operating/hsm.md', import.meta.url), 'utf8');

test.each(profileNames)('docs/operating/hsm.md has the row of %s', (name) => {
  expect(page.split('\n')).toContain(profileRow(vendorProfiles[name]));
});

test('a profile that was never tested on its device says so', () => {
  expect(describeProfile(vendorProfiles.luna)).toContain('unverified');
  expect(describeProfile(vendorProfiles.softhsm)).toBe('softhsm (SoftHSM 2.6)');
});
