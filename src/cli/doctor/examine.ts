import type { Configuration } from '../../config/configuration.js';
import { checkCatalog } from './catalog.js';
import { checkCertificates } from './certificates.js';
import { checkClock } from './clock.js';
import { checkFiles, checkSecrets } from './files.js';
import type { Finding } from './finding.js';
import { ok, warn } from './finding.js';
import { checkTokens } from './tokens.js';

/** Every check that changes nothing and logs in nowhere. */
export async function examine(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv,
  now: Date,
): Promise<Finding[]> {
  return [
    ok(`configuration ${configuration.path}`, 'is fine'),
    ...checkCustody(configuration),
    await checkClock(configuration, now),
    ...(await checkFiles(configuration)),
    ...(await checkSecrets(configuration, environment)),
    ...(await checkCertificates(configuration, now)),
    await checkCatalog(configuration),
    ...(await checkTokens(configuration)),
  ];
}

/** What the operator accepted, said once more (design §7): `replication: none` is the only kind yet. */
function checkCustody({ clusters }: Configuration): Finding[] {
  return clusters.map(({ name }) =>
    warn(
      `custody of cluster ${name}`,
      'no replica, no backup: if its token is lost, all of its keys are',
      'fine for development; back up the token with its own tools otherwise',
    ),
  );
}
