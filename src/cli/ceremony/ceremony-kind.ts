import type { ClusterConfiguration } from '../../config/configuration.js';
import type { NativeKeyMaker } from '../../hsm/native-ceremony.js';
import type { CeremonyKind } from '../../hsm/profiles/profile.js';
import { CliError, exitCodes } from '../exit-codes.js';
import type { SurveyedMember } from './survey.js';

/** Who makes the cluster keys on tokens of this kind. One that does not enforce trust lets its user make trusted keys. */
export const keyMakers: Readonly<Record<CeremonyKind, NativeKeyMaker>> = {
  'so-made': 'officer',
  'user-made-then-marked': 'user-then-officer',
  unsupported: 'user',
};

/** The kinds of ceremony of these members, for the record. */
export function kindsOf(members: readonly SurveyedMember[]): string {
  const kinds = members.map(({ profile }) => recordedKinds[profile.ceremony.value]);
  return [...new Set(kinds)].sort().join(', ');
}

const recordedKinds: Readonly<Record<CeremonyKind, string>> = {
  'so-made': 'so-made',
  'user-made-then-marked': 'user-made-then-marked',
  unsupported: 'user-made',
};

/**
 * Only a cluster that says `trust: unenforced` takes tokens that do not enforce trust.
 * @throws CliError for a member whose vendor has no such ceremony, or whose marks say otherwise than the configuration
 */
export function requireCeremony(members: readonly SurveyedMember[], { trust, name }: ClusterConfiguration): void {
  for (const member of members) {
    const { ceremony } = member.profile;
    if (ceremony.value === 'unsupported' && trust === 'enforced') throw unsupported(member);
    const other = contradictionOf(member, trust);
    if (other === undefined) continue;
    throw new CliError(
      exitCodes.checkFailed,
      'TRUST_CHANGED',
      `member ${member.name}: generation ${other} was made with another trust than ${trust}, which the configuration has`,
      {
        hint: `trust is chosen when a cluster is made, and never changed: set clusters[].trust of ${name} back, or make a new cluster; a mark that only this member has was planted`,
      },
    );
  }
}

/** The first generation whose mark says otherwise than the configuration. */
export function contradictionOf(
  { generations }: Pick<SurveyedMember, 'generations'>,
  trust: ClusterConfiguration['trust'],
): number | undefined {
  return generations.find(({ enforced }) => enforced !== (trust === 'enforced'))?.number;
}

function unsupported({ name, profile }: SurveyedMember): CliError {
  const message = `member ${name}: its token cannot have wrapping keys that nobody can misuse`;
  return new CliError(exitCodes.checkFailed, 'CEREMONY', message, {
    details: [`profile ${profile.name} (${profile.title}): ceremony unsupported: ${profile.ceremony.source}`],
    hint: 'docs/operating/ceremony.md says which HSMs can be members of a wrapped cluster, and what trust: unenforced means',
  });
}
