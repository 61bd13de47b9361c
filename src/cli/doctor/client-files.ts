import type { Configuration, TlsListener } from '../../config/configuration.js';
import type { ConfigurationProblem } from '../../config/problem.js';
import { constants } from 'node:fs';
import { accessProblem } from '../../path-problem.js';
import { checkClientFiles } from '../../preconditions/tls-files.js';

/**
 * For `config check`: files of authorities and revocation lists that would turn every client away. A file that is not
 * there, or not for this user, is no problem of the configuration: it is checked where the service runs, by `doctor`.
 */
export async function clientFileProblems(configuration: Configuration, now: Date): Promise<ConfigurationProblem[]> {
  const problems: ConfigurationProblem[] = [];
  for (const [index, listener] of configuration.listeners.entries()) {
    if (listener.kind !== 'tls' || !(await areHere(listener))) continue;
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

/** Errors that say where we are rather than what the configuration names. A circle of links, or too long a name, is one everywhere. */
const ofThisMachine: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

async function areHere({ clientCertificateAuthority, certificateRevocationList }: TlsListener): Promise<boolean> {
  const files = [
    clientCertificateAuthority,
    ...(certificateRevocationList === null ? [] : [certificateRevocationList]),
  ];
  const problems = await Promise.all(files.map((file) => accessProblem(file, constants.R_OK, 'read')));
  return problems.every((problem) => problem === undefined || !ofThisMachine.has(problem.code));
}
