import type { X509Certificate } from 'node:crypto';
import type { CallerCertificate } from '../audit/event.js';
import { certificateIdentity } from '../certificates/certificate-identity.js';
import type { PrincipalDirectory } from './principal-directory.js';
import type { Principal } from '../calls/principal.js';

/** A principal that the configuration is known to have. Throws a plain error otherwise. */
export function requirePrincipal(principals: PrincipalDirectory, name: string): Principal {
  const principal = principals.byName(name);
  if (principal === undefined) throw new Error(`Principal ${name} is not configured.`);
  return principal;
}

/** The principal a verified certificate maps to; calls `onUnknown` if there is none. */
export function principalOf(
  principals: PrincipalDirectory,
  certificate: X509Certificate,
  onUnknown: (certificate: CallerCertificate, reason: string) => void,
): Principal | undefined {
  const found = principals.byCertificate(certificate);
  if (found.found) return found.principal;
  onUnknown(certificateIdentity(certificate), found.reason);
  return undefined;
}
