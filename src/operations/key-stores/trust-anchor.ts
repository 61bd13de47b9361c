/** The trust anchor certificate, which shows that a caller means this HSM cluster (docs/words.md). */
import { timingSafeEqual, X509Certificate } from 'node:crypto';
import { HoldfastError } from '../../errors.js';
import type { ClusterDescription } from '../../clusters/hsm-cluster.js';

/**
 * The DER of a PEM certificate, or undefined if the text is not a certificate. Certificates are compared as DER: line
 * ends and text around the PEM block do not matter.
 */
export function derOfCertificate(pem: string): Uint8Array | undefined {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return undefined;
  try {
    return new X509Certificate(pem).raw;
  } catch {
    // The caller's answer is the same for every parser error: this is not the cluster's certificate.
    return undefined;
  }
}

/** Whether the certificate is the one that the cluster's configuration names. */
export function isTrustAnchorOf(cluster: ClusterDescription, pem: string): boolean {
  const der = derOfCertificate(pem);
  if (der === undefined || der.byteLength !== cluster.trustAnchorDer.byteLength) return false;
  return timingSafeEqual(der, cluster.trustAnchorDer);
}

/** @throws INCORRECT_TRUST_ANCHOR */
export function requireTrustAnchor(cluster: ClusterDescription, pem: string): void {
  if (isTrustAnchorOf(cluster, pem)) return;
  throw new HoldfastError(
    'INCORRECT_TRUST_ANCHOR',
    `The trust anchor certificate in the request is not the trust anchor certificate of cluster '${cluster.clusterId}'.`,
  );
}
