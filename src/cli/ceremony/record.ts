import * as z from 'zod';

/** Names the layout of the record. A change of meaning needs another name. */
export const recordFormat = 'holdfast-ceremony-record-1';

const hexDigest = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits');

/** The ways to compare a carry key's fingerprint with the HSM's own. */
export const attestations = ['compared-by-operator', 'compared-with-file', 'unattested'] as const;
/** How the fingerprint of a member's carry key was compared, or `unattested`. */
export type Attestation = (typeof attestations)[number];

const member = z.strictObject({
  name: z.string(),
  serial_number: z.string(),
  manufacturer: z.string(),
  model: z.string(),
  firmware_version: z.string(),
  /** The PKCS#11 library: its maker, description and version. */
  library: z.string(),
  profile: z.string(),
  /** SHA-256 of the SubjectPublicKeyInfo of its carry key; null if an earlier run had carried the keys. */
  carry_key_fingerprint: hexDigest.nullable(),
  attestation: z.enum(attestations),
});

const attack = z.strictObject({
  attack: z.string(),
  /** Whether the token stood firm: the attack failed. */
  held: z.boolean(),
  /** The name of the CK_RV of the call that decided. */
  return_value: z.string(),
  detail: z.string(),
});

const trustCheck = z.strictObject({
  member: z.string(),
  /** Whether the attacks were made with the user PIN, or without any. */
  attacker: z.enum(['user', 'nobody']),
  /** The operator's flag left them out. */
  skipped: z.boolean(),
  attacks: z.array(attack),
});

/** The commands that end with a record. */
export const ceremonyPurposes = ['init', 'add-member', 'rotate-wrapping-key', 'remove-member'] as const;
/** The command that made the generation. */
export type CeremonyPurpose = (typeof ceremonyPurposes)[number];

const signature = z.strictObject({
  algorithm: z.literal('Ed25519'),
  /** SubjectPublicKeyInfo (RFC 8410) in base64. */
  public_key: z.base64(),
  /** Whether the operator gave the key, or it was made for this record and thrown away. */
  key_origin: z.enum(['given', 'made-for-this-record']),
  value: z.base64(),
});

/** A ceremony record as its file has it. The signature is over everything but its own `value`. */
export const recordSchema = z.strictObject({
  format: z.literal(recordFormat),
  holdfast_version: z.string(),
  date: z.iso.datetime(),
  purpose: z.enum(ceremonyPurposes),
  cluster: z.strictObject({ id: z.string(), name: z.string(), trust: z.enum(['enforced', 'unenforced']) }),
  /** The kinds of ceremony of the members, sorted: so-made, user-made, user-made-then-marked. */
  ceremony: z.string(),
  generation: z.int().min(1),
  /** The digest in the mark of every member. */
  digest: hexDigest,
  members: z.array(member).min(1),
  /** The member without which the generation was made; null for other purposes. */
  removed_member: z.string().nullable(),
  trust_checks: z.array(trustCheck),
  signature,
});

/** A signed record. */
export type SignedRecord = z.output<typeof recordSchema>;
/** A record before it is signed. */
export type CeremonyRecord = Omit<SignedRecord, 'signature'>;
/** A member in a record. */
export type RecordedMember = z.output<typeof member>;
/** The attacks on one member by one attacker. */
export type TrustCheck = z.output<typeof trustCheck>;
/** An attack, and whether the token stood firm. */
export type RecordedAttack = z.output<typeof attack>;

/** The attacks that succeeded, with their member. */
export function successfulAttacks(
  checks: readonly TrustCheck[],
): (RecordedAttack & Pick<TrustCheck, 'member' | 'attacker'>)[] {
  return checks.flatMap(({ member: name, attacker, attacks }) =>
    attacks.filter(({ held }) => !held).map((found) => ({ ...found, member: name, attacker })),
  );
}
