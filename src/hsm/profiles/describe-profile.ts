import type { VendorProfile } from './profile.js';

/** A profile in a few words, for tables and reports; one that was never tested on its device says so. */
export function describeProfile({ name, title, verification }: VendorProfile): string {
  return verification.verified
    ? `${name} (${title})`
    : `${name} (${title}), unverified: it rests on ${verification.what}`;
}

/** The row of a profile in the table of docs/operating/hsm.md. */
export function profileRow(profile: VendorProfile): string {
  const { name, title, verification, gcmNonce, maximumGcmBytes, recommendedLanes, pinFormat } = profile;
  return [
    '',
    title,
    `\`${name}\``,
    verification.verified ? `verified: ${verification.what}` : `**unverified**: it rests on ${verification.what}`,
    gcmNonce.value === 'token' ? 'the token' : 'drawn from the token’s RNG',
    maximumGcmBytes.value === null ? 'no limit' : `${maximumGcmBytes.value} bytes`,
    String(recommendedLanes.value),
    pinFormat.value === 'plain' ? 'the PIN' : `\`${pinFormat.value}\``,
    '',
  ]
    .join(' | ')
    .trim();
}
