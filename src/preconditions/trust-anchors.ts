import { printable } from '../certificates/printable.js';
import { readTrustAnchor } from '../composition/cluster-options.js';
import type { Finding } from './finding.js';
import { ok, reasonOf, refuse, remedyOf } from './finding.js';
import type { Surroundings } from './precondition.js';

/** One certificate for each cluster. It is compared, not trusted: its expiry has no effect. */
export async function checkTrustAnchors({ configuration }: Surroundings): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, trustAnchorCertificate } of configuration.clusters) {
    const subject = `trust anchor of cluster ${name}`;
    try {
      const { subject: text } = await readTrustAnchor(trustAnchorCertificate);
      findings.push(ok(subject, printable(text.replaceAll('\n', ', '))));
    } catch (error) {
      const remedy = 'put there the one certificate that names the cluster; docs/operating/certificates.md';
      findings.push(refuse(subject, `it cannot be used: ${reasonOf(error)}`, remedyOf(error, remedy)));
    }
  }
  return findings;
}
