import { userInfo } from 'node:os';
import { ActAudit, type Act, ActUnauditedError } from '../audit/act-audit.js';
import type { Configuration } from '../config/configuration.js';
import type { OpenFileWriter } from '../storage/file-writer.js';
import { pathProblem } from '../path-problem.js';
import { CliError, exitCodes } from './exit-codes.js';
import type { Terminal } from './terminal.js';

const closeBoundMs = 5_000;

/** Streams of the service's own process: the file name means the service's output, not this command's. */
const inheritedStream = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/**
 * Does an operator's act on the catalog beside the service, recorded in the same audit log. If that log is a stream of
 * the service's process, the records go to this command's stderr.
 * @throws CliError when they cannot be written: then nothing was done, or the message says that it was.
 */
export async function asOperator<T>(
  configuration: Configuration,
  terminal: Terminal,
  act: Act,
  work: (audit: ActAudit) => Promise<T>,
): Promise<T> {
  const { systemClock: clock } = await import('../clock-system.js');
  const { randomIdentifiers: identifiers } = await import('../ids.js');
  const { loadAddon } = await import('../hsm/native.js');
  const { openAuditFile } = await import('../storage/audit-file.js');
  const path = inheritedStream.test(configuration.audit.file) ? '/dev/stderr' : configuration.audit.file;
  const openWriter: OpenFileWriter = (onWritten) => loadAddon().createFileWriter(onWritten);
  const auditLog = await openAuditFile({ path, clock, openWriter }).catch((error: unknown) => {
    throw unaudited(path, error);
  });
  const actor = { face: 'command-line' as const, principal: `local-user:${userName()}`, sourceAddress: 'local' };
  const audit = new ActAudit({ auditLog, clock, identifiers, actor, onActed: () => undefined });
  try {
    return await audit.perform(withSudo(act, terminal), () => work(audit));
  } catch (error) {
    throw error instanceof ActUnauditedError ? unaudited(path, error) : error;
  } finally {
    await auditLog.close(closeBoundMs);
  }
}

/**
 * Adds the user that sudo reports. It is a parameter, not the principal, because without sudo anyone can set the
 * variable.
 */
function withSudo(act: Act, { environment }: Terminal): Act {
  const user = environment['SUDO_USER'];
  return user === undefined ? act : { ...act, parameters: { ...act.parameters, sudo_user: user.slice(0, 256) } };
}

/** The name of the user. A container may run as a user without an entry in the user database. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.geteuid?.() ?? 'unknown'}`;
  }
}

function unaudited(path: string, cause: unknown): CliError {
  const refusal = systemRefusal(cause);
  const { reason, remedy } = pathProblem(refusal ?? cause, 'written');
  const said = cause instanceof ActUnauditedError ? `${cause.message} ` : '';
  const message = refusal === undefined ? messageOf(cause) : `${said}The audit log ${path} ${reason}.`;
  return new CliError(exitCodes.local, 'AUDIT', message, { cause, hint: `nothing is done unaudited: ${remedy}` });
}

/** The system's error, wherever it is among the causes. */
function systemRefusal(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  return 'syscall' in error ? error : systemRefusal(error.cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
