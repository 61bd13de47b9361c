import type { KeyObject } from 'node:crypto';
import { CliError, exitCodes, localError } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';
import { grouped } from './fingerprint-text.js';
import { readGivenFile, readRecord } from './read-record.js';
import { type SignedRecord, successfulAttacks } from './record.js';
import { givenPublicKey, isKeyOf, isSignedByItsKey, signerFingerprint } from './record-signature.js';

/** The options of `cluster verify-record`. */
export interface VerifyRecordOptions {
  publicKey?: string;
  output: 'table' | 'json';
}

/**
 * Checks a record's signature and says what the record claims. Without a key to compare with, the signature shows only
 * that the record is whole.
 * @throws CliError if the signature is wrong or another key's, or if the record says that attacks succeeded
 */
export async function verifyRecord(terminal: Terminal, file: string, options: VerifyRecordOptions): Promise<void> {
  const expected = options.publicKey === undefined ? undefined : await readPublicKey(options.publicKey);
  const record = await readRecord(file);
  if (!isSignedByItsKey(record)) throw refused(`the signature of ${file} is wrong: the record was changed`);
  if (expected !== undefined && !isKeyOf(record, expected))
    throw refused(
      `${file} is signed by another key than ${options.publicKey ?? ''}: ${grouped(signerFingerprint(record))}`,
    );
  const broken = successfulAttacks(record.trust_checks);
  await printDone(terminal, options.output, sentences(record, expected !== undefined), {
    valid: true,
    signer: { fingerprint: signerFingerprint(record), compared: expected !== undefined },
    successfulAttacks: broken.length,
    record,
  });
  if (broken.length > 0 && record.cluster.trust === 'enforced') throw trustBroken(record);
}

function sentences(record: SignedRecord, isCompared: boolean): string[] {
  const { cluster, generation, digest, members, purpose, date } = record;
  const fingerprint = grouped(signerFingerprint(record));
  return [
    isCompared
      ? `The signature is right, by the given key (${fingerprint}).`
      : `The signature is right. Its key is in the record: compare ${fingerprint} with what was noted at the ceremony.`,
    `Generation ${generation} of cluster ${cluster.name} (${cluster.id}), by ${purpose}, ${date}, trust ${cluster.trust}.`,
    `Digest ${digest}.`,
    ...members.map(
      ({ name, serial_number: serial, model, attestation }) => `Member ${name}: ${model} ${serial}, ${attestation}.`,
    ),
    ...record.trust_checks.map(({ member, attacker, skipped, attacks }) =>
      skipped
        ? `Member ${member}: no attacks as ${attacker} were tried.`
        : `Member ${member}: withstood ${attacks.filter(({ held }) => held).length} of ${attacks.length} attacks as ${attacker}.`,
    ),
  ];
}

function trustBroken({ trust_checks: checks, generation }: SignedRecord): CliError {
  return new CliError(exitCodes.checkFailed, 'TRUST', `generation ${generation} must not be used: attacks succeeded`, {
    details: successfulAttacks(checks).map(
      ({ member, attacker, attack, detail }) => `${member}, as ${attacker}: ${attack}: ${detail}`,
    ),
  });
}

async function readPublicKey(path: string): Promise<KeyObject> {
  const pem = await readGivenFile(path);
  try {
    return givenPublicKey(pem);
  } catch (error) {
    throw localError(`${path} ${(error as Error).message}`, error);
  }
}

function refused(message: string): CliError {
  return new CliError(exitCodes.checkFailed, 'RECORD', message);
}
