import { systemClock } from '../../clock-system.js';
import { memberOptions } from '../../composition/cluster-options.js';
import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import { loadAddon } from '../../hsm/native.js';
import type { NativeTokenInfo } from '../../hsm/native.js';
import type { NativeCeremonyMember } from '../../hsm/native-ceremony.js';
import {
  automaticProfile,
  effectiveProfile,
  nativeProfile,
  type ProfileSetting,
} from '../../hsm/profiles/effective-profile.js';
import type { VendorProfile } from '../../hsm/profiles/profile.js';
import { vendorProfiles } from '../../hsm/profiles/profiles.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { keyMakers } from './ceremony-kind.js';
import type { MemberMarks } from './generations.js';
import { hsmError } from './hsm-error.js';
import { underModuleLocks } from './module-locks.js';

/** A member as its token shows itself without a PIN. */
export interface SurveyedMember extends MemberMarks {
  readonly token: NativeTokenInfo;
  readonly profile: VendorProfile;
  readonly native: NativeCeremonyMember;
}

/** Looks at the tokens of these members, in order. @throws CliError for the first that cannot be read, or is there twice */
export async function surveyMembers(
  configuration: Configuration,
  { id }: ClusterConfiguration,
  members: readonly MemberConfiguration[],
): Promise<SurveyedMember[]> {
  const surveyed: SurveyedMember[] = [];
  for (const member of members) {
    try {
      surveyed.push(await surveyMember(configuration, id, member));
    } catch (error) {
      throw hsmError(error, member.name);
    }
  }
  requireDistinct(surveyed);
  return surveyed;
}

/** Looks at one member's token. @throws NativeFailure */
export async function surveyMember(
  configuration: Configuration,
  clusterId: string,
  member: MemberConfiguration,
): Promise<SurveyedMember> {
  const { name, module, tokenLabel, tokenSerialNumber, profile } = memberOptions(member, configuration);
  const setting = profile ?? automaticProfile;
  // The marks look the same whatever the token's vendor is, and only the token says who that is.
  const nativeMember = (assumed: VendorProfile, mechanisms: readonly number[]): NativeCeremonyMember => ({
    ...{ name, module, tokenLabel, tokenSerialNumber },
    profile: nativeProfile(assumed, mechanisms),
    maker: keyMakers[assumed.ceremony.value],
  });
  const { token, generations } = await underModuleLocks(configuration, [module], () =>
    loadAddon().readGenerations(nativeMember(assumedProfile(setting), []), clusterId, deadlineOf(configuration)),
  );
  const effective = effectiveProfile(setting, token);
  return {
    name,
    token,
    profile: effective,
    native: nativeMember(effective, token.mechanisms),
    generations: generations.map(({ number, digest, enforced }) => ({
      ...{ number, enforced },
      digest: Buffer.from(digest).toString('hex'),
    })),
  };
}

/** The deadline of one call that opens a token. */
export function deadlineOf({ limits }: Configuration): number {
  return systemClock.monotonicMs() + limits.connectTimeoutMs;
}

function assumedProfile({ profile }: ProfileSetting): VendorProfile {
  return profile === 'auto' ? vendorProfiles.generic : vendorProfiles[profile];
}

function requireDistinct(members: readonly SurveyedMember[]): void {
  for (const [index, { name, token }] of members.entries()) {
    const other = members.slice(0, index).find((before) => before.token.serialNumber === token.serialNumber);
    if (other === undefined) continue;
    throw new CliError(
      exitCodes.checkFailed,
      'ONE_TOKEN',
      `members ${other.name} and ${name} are one token, ${token.serialNumber}: a cluster needs a token for each`,
    );
  }
}
