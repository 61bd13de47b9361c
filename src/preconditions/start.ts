import type { Configuration } from '../config/configuration.js';
import { destroySecrets, readSecrets, type ResolvedSecrets } from '../config/secrets.js';
import { preconditions } from './list.js';
import { checkAll, type NamedFinding } from './precondition.js';

/** `serve` does not start; the message has every reason and its remedy. */
export class UnmetPreconditionsError extends Error {
  override readonly name = 'UnmetPreconditionsError';
  readonly findings: readonly NamedFinding[];

  constructor(findings: readonly NamedFinding[]) {
    super(findings.map(({ subject, message, remedy }) => `${subject}: ${message}\n  → ${remedy ?? ''}`).join('\n'));
    this.findings = findings;
  }
}

/** A server may start: with these secrets, and with these failures and warnings for its log. */
export interface Permission {
  secrets: ResolvedSecrets;
  findings: NamedFinding[];
}

/**
 * Checks every precondition for a process that is about to serve.
 * @throws UnmetPreconditionsError with all of those that prevent the start; no secret is left in memory then.
 */
export async function requirePreconditions(configuration: Configuration, now: Date): Promise<Permission> {
  const readings = await readSecrets(configuration);
  try {
    const found = await checkAll(preconditions, { configuration, secrets: readings, now, asks: 'service' });
    const preventing = found.filter(({ prevents }) => prevents === 'start');
    if (preventing.length > 0) throw new UnmetPreconditionsError(preventing);
    return { secrets: readings.secrets, findings: found.filter(({ status }) => status !== 'ok') };
  } catch (error) {
    destroySecrets(readings.secrets);
    throw error;
  }
}
