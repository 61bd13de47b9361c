import type { Configuration } from '../../config/configuration.js';
import { destroySecrets, readSecrets } from '../../config/secrets.js';
import { type Finding, ok, warn } from '../../preconditions/finding.js';
import { preconditions } from '../../preconditions/list.js';
import { checkAll, type NamedFinding } from '../../preconditions/precondition.js';
import { checkBackups } from './backups.js';
import { checkPinAges } from './pin-ages.js';
import { checkRecoveryMembers } from './recovery-members.js';
import { checkTokens } from './tokens.js';
import { checkWitnesses } from './witnesses.js';

/** The preconditions of `serve`, and the state of the HSMs. Changes nothing and logs in nowhere. */
export async function examine(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv,
  now: Date,
): Promise<NamedFinding[]> {
  const secrets = await readSecrets(configuration, { ...environment });
  try {
    return [
      ...named('configuration', [ok(`configuration ${configuration.path}`, 'is fine')]),
      ...named('custody', checkCustody(configuration)),
      ...(await checkAll(preconditions, { configuration, secrets, now, asks: 'operator' })),
      ...named('witnesses', await checkWitnesses(configuration)),
      ...named('backups', await checkBackups(configuration, now)),
      ...named('pin ages', await checkPinAges(configuration, now)),
      ...named('tokens', await checkTokens(configuration)),
      ...named('recovery-members', await checkRecoveryMembers(configuration)),
    ];
  } finally {
    destroySecrets(secrets.secrets);
  }
}

/** Findings of a check that is not a precondition of `serve`. */
export function named(check: string, findings: readonly Finding[]): NamedFinding[] {
  return findings.map((finding) => ({ check, ...finding }));
}

/** Repeats who answers for copies and backup, and the risk that the operator accepted with `replication: none`. */
function checkCustody({ clusters }: Configuration): Finding[] {
  return clusters.flatMap(({ name, replication }) => {
    const subject = `custody of cluster ${name}`;
    if (replication === 'wrapped') return [];
    if (replication === 'vendor')
      return [ok(subject, "copies of its keys, and their backup, are made by the vendor's own cluster")];
    const remedy = 'fine for development; back up the token with its own tools otherwise';
    return [warn(subject, 'no replica, no backup: if its token is lost, all of its keys are', remedy)];
  });
}
