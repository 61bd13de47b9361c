import { readFile } from 'node:fs/promises';
import type { NativeCarryKeyFingerprint } from '../../hsm/native-ceremony.js';
import { CliError, exitCodes, localError, usageError } from '../exit-codes.js';
import type { Terminal } from '../terminal.js';
import { askLine } from '../typed-line.js';
import { grouped, ungrouped } from './fingerprint-text.js';
import type { Attestation } from './record.js';
import type { OperatorSteps } from '../operator-steps.js';

/** How the fingerprints are compared; if neither is given, the operator is asked. */
export interface ComparisonOptions {
  fingerprints?: string;
  unattested?: true;
}

/** A member's carry key as it is shown. */
export interface ShownFingerprint {
  readonly member: string;
  readonly serialNumber: string;
  /** 64 hex digits. */
  readonly fingerprint: string;
}

/** @throws CliError if there is nobody to compare, or two ways at once */
export function requireComparison(terminal: Terminal, { fingerprints, unattested }: ComparisonOptions): void {
  if (fingerprints !== undefined && unattested === true)
    throw usageError('--fingerprints and --unattested exclude each other');
  if (fingerprints !== undefined || unattested === true || terminal.stdin.isTTY === true) return;
  throw usageError(
    'the fingerprints must be compared, and there is no terminal to ask on',
    'use --fingerprints FILE; or --unattested, which the record will name',
  );
}

/** The fingerprints in the form in which they are shown and recorded. */
export function shownFingerprints(carryKeys: readonly NativeCarryKeyFingerprint[]): ShownFingerprint[] {
  return carryKeys.map(({ member, serialNumber, fingerprint }) => ({
    member,
    serialNumber,
    fingerprint: Buffer.from(fingerprint).toString('hex'),
  }));
}

/**
 * Shows the fingerprints, and has them compared before any key travels.
 * @throws CliError if one differs, or the operator does not say yes
 */
export async function compareFingerprints(
  terminal: Terminal,
  steps: OperatorSteps,
  shown: readonly ShownFingerprint[],
  options: ComparisonOptions,
): Promise<Attestation> {
  await steps.say('fingerprints', 'SHA-256 of the public key that each HSM made for this ceremony:', {
    members: shown.map(({ member, serialNumber, fingerprint }) => ({
      member,
      serial_number: serialNumber,
      fingerprint,
    })),
  });
  for (const { member, serialNumber, fingerprint } of shown)
    await steps.say('fingerprint', `  member ${member}, ${serialNumber}: ${grouped(fingerprint)}`, { member });
  if (options.unattested === true) return 'unattested';
  if (options.fingerprints === undefined) return askOperator(terminal);
  await compareWithFile(shown, options.fingerprints);
  return 'compared-with-file';
}

async function askOperator(terminal: Terminal): Promise<Attestation> {
  const answer = await askLine(
    terminal,
    'Compare them with what each HSM’s console or the vendor’s attestation shows. Are all of them the same? Type yes: ',
  );
  if (answer === 'yes') return 'compared-by-operator';
  throw differs('the fingerprints were not confirmed');
}

/** Read only now: it may be a named pipe, into which another program writes what it reads from the HSMs meanwhile. */
async function compareWithFile(shown: readonly ShownFingerprint[], path: string): Promise<void> {
  const expected = expectedFingerprints(path, await readText(path));
  for (const { member, serialNumber, fingerprint } of shown) {
    const found = expected.get(member) ?? expected.get(serialNumber);
    if (found === undefined)
      throw differs(`${path} has no fingerprint of member ${member} or serial number ${serialNumber}`);
    if (found !== fingerprint)
      throw differs(`member ${member} shows ${grouped(fingerprint)}, and ${path} has ${grouped(found)}`);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw localError(`${path} cannot be read: ${(error as Error).message}`, error, 'nothing was carried');
  }
}

/** One line for each member: its name or serial number, then the fingerprint. Empty lines and `#` are left out. */
function expectedFingerprints(path: string, text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').map((line) => line.trim());
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line): [string, string] => {
        const [name = '', ...rest] = line.split(/\s+/);
        const fingerprint = ungrouped(rest.join(''));
        if (fingerprint === undefined)
          throw differs(`${path} has a line that is not a member and 64 hex digits: ${line}`);
        return [name, fingerprint];
      }),
  );
}

function differs(message: string): CliError {
  return new CliError(exitCodes.checkFailed, 'FINGERPRINT', message, {
    hint: 'nothing was carried. Whoever can replace a fingerprint gets all keys: find out why before you run it again',
  });
}
