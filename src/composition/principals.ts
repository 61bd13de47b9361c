import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import type { PrincipalDirectory } from '../config/principals.js';
import type { Principal } from '../policy/authorizer.js';

/** A principal that the configuration is known to have. */
export function requirePrincipal(principals: PrincipalDirectory, name: string): Principal {
  const principal = principals.byName(name);
  if (principal === undefined) throw new Error(`Principal ${name} is not configured.`);
  return principal;
}

/** Whom the configuration knows by a certificate; that it knows nobody is logged. */
export function principalOf(
  principals: PrincipalDirectory,
  certificate: X509Certificate,
  logger: Logger,
): Principal | undefined {
  const found = principals.byCertificate(certificate);
  if (found.found) return found.principal;
  logger.warn({ subject: certificate.subject, reason: found.reason }, 'client certificate names no principal');
  return undefined;
}
