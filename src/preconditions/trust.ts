import type { Finding } from './finding.js';
import { warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** A cluster that does not enforce trust says so at every start. */
export function checkTrust({ configuration }: Surroundings): Promise<Finding[]> {
  const findings = configuration.clusters
    .filter(({ trust }) => trust === 'unenforced')
    .map(({ name }) =>
      warn(
        `trust of cluster ${name}`,
        'trust: unenforced: whoever has the user PIN of one of its tokens can extract all of its keys',
        'fine for development; for others, make a new cluster of HSMs that enforce trust (docs/operating/ceremony.md)',
      ),
    );
  return Promise.resolve(findings);
}
