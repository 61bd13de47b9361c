import { constants } from 'node:fs';
import type { Configuration, TlsListener } from '../../config/configuration.js';
import type { ConfigurationProblem } from '../../config/problem.js';
import { accessProblem } from '../../path-problem.js';
import { checkClientFiles } from '../../preconditions/tls-files.js';

/**
 * Finds, for `config check`, files of authorities and revocation lists that would turn every client away. A file that
 * is missing, or unreadable for this user, is not a problem of the configuration: `doctor` checks it on the host of the
 * service.
 */
export async function clientFileProblems(configuration: Configuration, now: Date): Promise<ConfigurationProblem[]> {
  const problems: ConfigurationProblem[] = [];
  for (const [index, listener] of configuration.listeners.entries()) {
    const found = listener.kind === 'tls' ? await lookAtClientFiles(listener, now) : [];
    for (const { status, subject, message, remedy } of found) {
      if (status !== 'fail') continue;
      const key = subject.startsWith('certificate revocation')
        ? 'certificateRevocationList'
        : 'clientCertificateAuthority';
      problems.push({ path: `listeners[${index}].${key}`, message: `${message} (${remedy ?? ''})` });
    }
  }
  return problems;
}

/** Missing lists do not count against the authorities that are present. */
async function lookAtClientFiles(listener: TlsListener, now: Date): ReturnType<typeof checkClientFiles> {
  const { clientCertificateAuthority, certificateRevocationList: lists } = listener;
  if (!(await isHere(clientCertificateAuthority))) return [];
  const listsHere = lists === null || (await isHere(lists)) ? lists : null;
  return checkClientFiles({ ...listener, certificateRevocationList: listsHere }, now);
}

/**
 * Errors that depend on this machine rather than on the configuration. A loop of links, or a name that is too long, is
 * wrong everywhere.
 */
const ofThisMachine: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

async function isHere(file: string): Promise<boolean> {
  const problem = await accessProblem(file, constants.R_OK, 'read');
  return problem === undefined || !ofThisMachine.has(problem.code);
}
