import type { NativeProfile } from '../native.js';
import type { GcmNonceMaker, ProfileName, Sourced, VendorProfile } from './profile.js';
import { detectProfile, type Introduction, vendorProfiles } from './profiles.js';

/** The configuration's settings for a module's vendor. Null: the profile's value. */
export interface ProfileSetting {
  readonly profile: ProfileName | 'auto';
  readonly gcmNonce: GcmNonceMaker | null;
  readonly maximumGcmBytes: number | null;
  readonly sessionHeadroom: number | null;
  readonly maximumSessions: number | null;
}

/** Recognise the module, and use its profile unchanged. */
export const automaticProfile: ProfileSetting = {
  profile: 'auto',
  gcmNonce: null,
  maximumGcmBytes: null,
  sessionHeadroom: null,
  maximumSessions: null,
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
  };
}

function overridden<T>(ofProfile: Sourced<T>, value: T | null): Sourced<T> {
  return value === null ? ofProfile : { value, source: 'the configuration' };
}

/** The values that the addon needs. */
export function nativeProfile(profile: VendorProfile): NativeProfile {
  return {
    tokenMakesNonces: profile.gcmNonce.value === 'token',
    knowsCopyable: profile.knowsCopyable.value,
    maximumGcmBytes: profile.maximumGcmBytes.value,
  };
}
