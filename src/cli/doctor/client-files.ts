import { constants } from 'node:fs';
import type { Configuration, TlsListener } from '../../config/configuration.js';
import type { ConfigurationProblem } from '../../config/problem.js';
import { accessProblem } from '../../path-problem.js';
import { checkClientFiles } from '../../preconditions/tls-files.js';

/**
 * For `config check`: files of authorities and revocation lists that would turn every client away. A file that is not
 * there, or not for this user, is no problem of the configuration: it is checked where the service runs, by `doctor`.
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

/** Lists that are elsewhere say nothing against the authorities that are here. */
async function lookAtClientFiles(listener: TlsListener, now: Date): ReturnType<typeof checkClientFiles> {
  const { clientCertificateAuthority, certificateRevocationList: lists } = listener;
  if (!(await isHere(clientCertificateAuthority))) return [];
  const listsHere = lists === null || (await isHere(lists)) ? lists : null;
  return checkClientFiles({ ...listener, certificateRevocationList: listsHere }, now);
}

/** What says where we are rather than what the configuration names. A circle of links, or too long a name, is one everywhere. */
const ofThisMachine: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

async function isHere(file: string): Promise<boolean> {
  const problem = await accessProblem(file, constants.R_OK, 'read');
  return problem === undefined || !ofThisMachine.has(problem.code);
}
