import type { Configuration, TlsListener } from '../../config/configuration.js';
import type { ConfigurationProblem } from '../../config/problem.js';
import { isReadable } from '../../preconditions/directories.js';
import { checkClientFiles } from '../../preconditions/tls-files.js';

/**
 * For `config check`: files of authorities and revocation lists that would turn every client away. A file that is not
 * there, or not for this user, is no problem of the configuration: it is checked where the service runs, by `doctor`.
 */
export async function clientFileProblems(configuration: Configuration, now: Date): Promise<ConfigurationProblem[]> {
  const problems: ConfigurationProblem[] = [];
  for (const [index, listener] of configuration.listeners.entries()) {
    if (listener.kind !== 'tls' || !(await areReadable(listener))) continue;
    for (const { status, subject, message, remedy } of await checkClientFiles(listener, now)) {
      if (status !== 'fail') continue;
      const key = subject.startsWith('certificate revocation')
        ? 'certificateRevocationList'
        : 'clientCertificateAuthority';
      problems.push({ path: `listeners[${index}].${key}`, message: `${message} (${remedy ?? ''})` });
    }
  }
  return problems;
}

async function areReadable({ clientCertificateAuthority, certificateRevocationList }: TlsListener): Promise<boolean> {
  const files = [
    clientCertificateAuthority,
    ...(certificateRevocationList === null ? [] : [certificateRevocationList]),
  ];
  return (await Promise.all(files.map(isReadable))).every((readable) => readable);
}
