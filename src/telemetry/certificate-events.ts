import { type CertificateEnd, type CertificateKind, endsSoon, type TlsPaths } from '../certificates/certificate-end.js';
import type { Clock } from '../clock.js';
import type { CertificateStatus } from '../status/service-status.js';
import type { EventSink } from './events.js';
import type { Metrics } from './metrics.js';

/** Receives the result of re-reading the files of a TLS listener (SIGHUP). */
export interface CertificateReloadListener {
  loaded(ends: readonly CertificateEnd[], problem: string | undefined): void;
  refused(ends: readonly CertificateEnd[], problem: string): void;
  failed(paths: TlsPaths, error: unknown): void;
}

/** Logs and counts each reload: one line per listener, with the subject and expiry of each certificate and list. */
export function certificateReloadEvents({ logger, metrics }: EventSink): CertificateReloadListener {
  const count = (outcome: string): void => metrics?.counters.certificateReloads.inc({ outcome });
  return {
    loaded(ends, problem) {
      const certificates = ends.map(shown);
      if (problem === undefined) logger.info({ certificates }, 'certificates loaded');
      else logger.error({ certificates, problem }, 'certificates loaded, with a problem as before');
      count('loaded');
    },
    refused(ends, problem) {
      logger.error({ certificates: ends.map(shown), problem }, 'certificates refused: those in use are good');
      count('refused');
    },
    failed({ certificate, clientCertificateAuthority, certificateRevocationList }, error) {
      const files = { certificate, clientCertificateAuthority, certificateRevocationList };
      logger.error({ ...files, err: error }, 'certificates cannot be used; what was loaded before stays in use');
      count('failed');
    },
  };
}

/** Logs once a day: a warning for each certificate or list that expires soon, an error for each expired one. */
export function certificateReminder({ logger }: EventSink, clock: Clock): (ends: readonly CertificateEnd[]) => void {
  return (ends) => {
    const now = clock.now();
    for (const end of ends.filter((candidate) => endsSoon(candidate, now))) {
      const hasEnded = end.notAfter !== undefined && end.notAfter < now;
      if (hasEnded) logger.error(shown(end), 'ALERT: a certificate or revocation list has ended');
      else logger.warn(shown(end), 'a certificate or revocation list ends soon');
    }
  };
}

const kindLabels: Record<CertificateStatus['kind'], CertificateKind> = {
  CERTIFICATE: 'server-certificate',
  AUTHORITY: 'client-authority',
  REVOCATION_LIST: 'revocation-list',
};

/**
 * Sets the gauges for the start and expiry of each file's validity. A file with several certificates or lists counts
 * as the one that expires first, because that one must be renewed first.
 */
export function showCertificates({ gauges }: Metrics, certificates: readonly CertificateStatus[]): void {
  const { certificateNotBefore, certificateNotAfter } = gauges;
  certificateNotBefore.reset();
  certificateNotAfter.reset();
  const lastFirst = [...certificates].sort((one, other) => other.notAfter.getTime() - one.notAfter.getTime());
  for (const { kind, path, notBefore, notAfter } of lastFirst) {
    const labels = { kind: kindLabels[kind], file: path };
    certificateNotBefore.set(labels, notBefore.getTime() / 1_000);
    certificateNotAfter.set(labels, notAfter.getTime() / 1_000);
  }
}

function shown({ kind, file, subject, notAfter }: CertificateEnd): object {
  return { kind, file, subject, notAfter: notAfter?.toISOString() ?? 'never' };
}
