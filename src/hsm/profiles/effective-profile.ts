import type { NativeProfile } from '../native-profile.js';
import {
  type CeremonyKind,
  type GcmNonceMaker,
  type GeneratedPin,
  mechanisms,
  type ProfileName,
  type Sourced,
  type VendorProfile,
} from './profile.js';
import { detectProfile, type Introduction, recognisingProfiles, vendorProfiles } from './profiles.js';

/** The configuration's settings for a module's vendor. Null: the profile's value. */
export interface ProfileSetting {
  readonly profile: ProfileName | 'auto';
  readonly gcmNonce: GcmNonceMaker | null;
  readonly maximumGcmBytes: number | null;
  readonly sessionHeadroom: number | null;
  readonly maximumSessions: number | null;
  /** How its wrapping keys are made. It cannot make a token enforce trust that is known not to. */
  readonly ceremony: CeremonyKind | null;
  /** The form of marks and witnesses. */
  readonly generationMark: 'data-object' | 'public-key' | null;
  /** How random PINs are made. */
  readonly generatedPin: GeneratedPin | null;
}

/** Recognise the module, and use its profile unchanged. */
export const automaticProfile: ProfileSetting = {
  profile: 'auto',
  gcmNonce: null,
  maximumGcmBytes: null,
  sessionHeadroom: null,
  maximumSessions: null,
  ceremony: null,
  generationMark: null,
  generatedPin: null,
};

/** The profile of a member: the named or recognised one, with the configuration's overrides. */
export function effectiveProfile(setting: ProfileSetting, introduction: Introduction): VendorProfile {
  const profile = setting.profile === 'auto' ? detectProfile(introduction) : vendorProfiles[setting.profile];
  return {
    ...profile,
    gcmNonce: overridden(profile.gcmNonce, setting.gcmNonce),
    maximumGcmBytes: overridden(profile.maximumGcmBytes, setting.maximumGcmBytes),
    sessionHeadroom: overridden(profile.sessionHeadroom, setting.sessionHeadroom),
    maximumSessions: overridden(profile.maximumSessions, setting.maximumSessions),
    ceremony: unenforcingProfile(introduction)?.ceremony ?? overridden(profile.ceremony, setting.ceremony),
    generationMark: overridden(profile.generationMark, setting.generationMark),
    generatedPin: overridden(profile.generatedPin, setting.generatedPin),
  };
}

/** The token's make, if it was tried and found not to enforce trust: no configuration changes that. */
function unenforcingProfile(introduction: Introduction): VendorProfile | undefined {
  return recognisingProfiles(introduction).find(
    ({ ceremony, verification }) => verification.verified && ceremony.value === 'unsupported',
  );
}

function overridden<T>(ofProfile: Sourced<T>, value: T | null): Sourced<T> {
  return value === null ? ofProfile : { value, source: 'the configuration' };
}

/** The values that the addon needs. @param tokenMechanisms those that the token lists (`C_GetMechanismList`) */
export function nativeProfile(profile: VendorProfile, tokenMechanisms: readonly number[]): NativeProfile {
  const oaep = oaepHashes[profile.oaepHashes.value.includes('SHA-256') ? 'SHA-256' : 'SHA-1'];
  return {
    tokenMakesNonces: profile.gcmNonce.value === 'token',
    knowsCopyable: profile.knowsCopyable.value,
    maximumGcmBytes: profile.maximumGcmBytes.value,
    keyWrapWithPadding: keyWrapWithPadding(profile, tokenMechanisms),
    oaepHash: oaep.hash,
    oaepMask: oaep.mask,
    // The user's keys are private: then nobody without a PIN sees or destroys them.
    clusterKeysArePrivate: profile.ceremony.value !== 'so-made' || profile.officerMakesPrivateObjects.value,
    knowsAllowedMechanisms: profile.knowsAllowedMechanisms.value,
    reportsLocal: profile.reportsLocal.value,
    marksArePublicKeys: profile.generationMark.value === 'public-key',
  };
}

/** The first of the profile's that the token has. If it has none, each wrapping fails with the name of the first one. */
function keyWrapWithPadding(
  { keyWrapWithPaddingMechanisms }: VendorProfile,
  tokenMechanisms: readonly number[],
): number {
  const preferred = keyWrapWithPaddingMechanisms.value;
  return preferred.find((mechanism) => tokenMechanisms.includes(mechanism)) ?? preferred[0] ?? mechanisms.aesKeyWrapKwp;
}

/** CKM_SHA… and CKG_MGF1_SHA… (PKCS#11 v2.40, Current Mechanisms §2.1.7). SHA-1 is safe here: OAEP needs no collision resistance (RFC 8017 §7.1). */
const oaepHashes = {
  'SHA-1': { hash: 0x220, mask: 1 },
  'SHA-256': { hash: 0x250, mask: 2 },
} as const;
