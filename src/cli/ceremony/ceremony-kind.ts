import { CliError, exitCodes } from '../exit-codes.js';
import type { SurveyedMember } from './survey.js';

/** The only kind that this command carries out. */
export const ceremonyKind = 'so-made';

/**
 * @param isEnforced whether the cluster's members must enforce trust. If not, tokens that do not are accepted
 * @throws CliError for a member whose vendor has no such ceremony
 */
export function requireCeremony(members: readonly SurveyedMember[], isEnforced: boolean): void {
  for (const { name, profile } of members) {
    const { value: kind, source } = profile.ceremony;
    if (kind === ceremonyKind || (kind === 'unsupported' && !isEnforced)) continue;
    throw new CliError(exitCodes.checkFailed, 'CEREMONY', `member ${name}: ${refusals[kind]}`, {
      details: [`profile ${profile.name} (${profile.title}): ceremony ${kind}: ${source}`],
      hint: 'docs/operating/ceremony.md says which HSMs can be members of a wrapped cluster',
    });
  }
}

const refusals = {
  'user-made-then-marked':
    'its wrapping keys are made by the user and then marked as trusted by an officer, which this version cannot do',
  unsupported: 'its token cannot have wrapping keys that nobody can misuse',
} as const;
