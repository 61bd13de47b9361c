import { loadForCommand } from '../local-configuration.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';
import { reportConclusion } from './conclude.js';
import { type CeremonyOptions, holdCeremony } from './hold-ceremony.js';
import { generationWithout } from './numbers.js';
import { proveEmpty } from './prove-empty.js';
import { keysOnMember, type KeyOnMember } from './keys-on-member.js';

/** The options of `cluster remove-member`. */
export interface RemoveMemberOptions extends CeremonyOptions {
  /** The member is to be proved empty. */
  emptied?: true;
}

/**
 * Ends a member's part in a cluster: its token is proved empty, or the others get a new generation that it does not
 * have. Then it says what only the operator can do.
 * @throws CliError
 */
export async function removeMember(
  terminal: Terminal,
  cluster: string,
  member: string,
  options: RemoveMemberOptions,
): Promise<void> {
  if (options.emptied === true) {
    const { token } = await proveEmpty(terminal, cluster, member, options);
    const sentence = `Member ${member} is empty: its token ${token.serialNumber} shows no object to its user.`;
    const fields = { member, empty: true, serialNumber: token.serialNumber };
    return printDone(terminal, options.output, [sentence, outOfConfiguration(member)], fields);
  }
  const request = { purpose: 'remove-member', cluster, without: member, numbers: generationWithout } as const;
  const conclusion = await holdCeremony(terminal, request, options);
  const keys = await keysOnMember(await loadForCommand(options.config), conclusion.record.cluster.id);
  const more = { sentences: leftToDo(member, keys), fields: { removedMember: member, keysToReplace: keys ?? null } };
  await reportConclusion(terminal, options.output, conclusion, more);
}

function outOfConfiguration(member: string): string {
  return `Take ${member} out of clusters[].members in every holdfast.yaml, and restart the services.`;
}

/** The removed token still has the keys, and an older generation that wraps and unwraps them. */
function leftToDo(member: string, keys: readonly KeyOnMember[] | undefined): string[] {
  return [
    `Left to do, because the HSM of ${member} still has keys and wrapping keys:`,
    `1. ${outOfConfiguration(member)}`,
    '2. Change the user PIN of the other members: docs/operating/pins.md.',
    ...(keys === undefined
      ? [
          '3. Replace the keys of this cluster. The catalog is not on this host, so they cannot be listed: holdfast key list.',
        ]
      : [
          `3. Replace these ${keys.length} keys: make new ones, move the aliases, ReEncrypt. The old ones are on that HSM for ever.`,
          ...keys.map(({ arn, materialIds }) => `   ${arn}: material ${materialIds.join(', ')}`),
        ]),
  ];
}
