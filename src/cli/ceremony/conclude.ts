import { systemClock } from '../../clock-system.js';
import type { ClusterConfiguration } from '../../config/configuration.js';
import { version } from '../../version.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';
import { kindsOf } from './ceremony-kind.js';
import type { CarriedGeneration } from './ceremony-run.js';
import { grouped } from './fingerprint-text.js';
import type { CeremonyRequest } from './hold-ceremony.js';
import {
  type CeremonyRecord,
  type RecordedMember,
  recordFormat,
  successfulAttacks,
  type TrustCheck,
} from './record.js';
import { writeRecord } from './record-file.js';
import { fingerprintOf, signedText, type SigningKey } from './record-signature.js';
import type { SurveyedMember } from './survey.js';

/** Everything that goes into a record. */
export interface Concluded {
  readonly cluster: ClusterConfiguration;
  readonly request: CeremonyRequest;
  readonly members: readonly SurveyedMember[];
  readonly carried: CarriedGeneration;
  readonly checks: readonly TrustCheck[];
  readonly signingKey: SigningKey;
  readonly path: string;
}

/** A record that is on disk. */
export interface Conclusion {
  readonly record: CeremonyRecord;
  readonly path: string;
  /** SHA-256 of the public key that signed it, 64 hex digits. */
  readonly signer: string;
  readonly signerIsNew: boolean;
}

/** Writes the signed record. @throws CliError */
export async function concludeCeremony(concluded: Concluded): Promise<Conclusion> {
  const { signingKey, path } = concluded;
  const record = recordOf(concluded);
  await writeRecord(path, signedText(record, signingKey));
  const signerIsNew = signingKey.origin === 'made-for-this-record';
  return { record, path, signer: fingerprintOf(signingKey.key), signerIsNew };
}

/**
 * Prints the outcome, after what else must be done.
 * @throws CliError if an attack succeeded on a cluster whose members must enforce trust
 */
export async function reportConclusion(
  terminal: Terminal,
  format: 'table' | 'json',
  conclusion: Conclusion,
  more: { sentences: readonly string[]; fields: object } = { sentences: [], fields: {} },
): Promise<void> {
  const { record, path, signer } = conclusion;
  const broken = successfulAttacks(record.trust_checks);
  await printDone(terminal, format, [...sentencesOf(conclusion), ...more.sentences], {
    clusterId: record.cluster.id,
    generation: record.generation,
    trust: record.cluster.trust,
    digest: record.digest,
    attested: record.members.every(({ attestation }) => attestation !== 'unattested'),
    successfulAttacks: broken.length,
    record: path,
    signerFingerprint: signer,
    ...more.fields,
  });
  if (broken.length === 0 || record.cluster.trust === 'unenforced') return;
  throw new CliError(
    exitCodes.checkFailed,
    'TRUST',
    `${broken.length} attacks succeeded: generation ${record.generation} must not be used, and no service may be started with this cluster`,
    {
      details: broken.map(({ member, attacker, attack, detail }) => `${member}, as ${attacker}: ${attack}: ${detail}`),
      hint: 'such a token cannot be a member of a cluster that enforces trust; the record names the attacks',
    },
  );
}

function sentencesOf({ record, path, signer, signerIsNew }: Conclusion): string[] {
  const { cluster, generation, digest, members, trust_checks: checks } = record;
  const unattested = members.filter(({ attestation }) => attestation === 'unattested').map(({ name }) => name);
  return [
    `Generation ${generation} of cluster ${cluster.name} is on ${members.map(({ name }) => name).join(', ')}: digest ${digest}`,
    ...(unattested.length === 0
      ? []
      : [`Unattested: nobody has compared the fingerprints of ${unattested.join(', ')}.`]),
    ...(cluster.trust === 'enforced'
      ? []
      : [
          `Trust is not enforced: whoever has a member’s user PIN can extract all keys of this cluster. Attacks that succeeded: ${successfulAttacks(checks).length}.`,
        ]),
    ...(checks.some(({ skipped }) => skipped) ? ['The attacks as user were left out: the record says so.'] : []),
    `The record is ${path}`,
    signerIsNew
      ? `It is signed by a key made for it. Note its fingerprint on paper: ${grouped(signer)}`
      : `It is signed by the given key: ${grouped(signer)}`,
  ];
}

function recordOf({ cluster, request, members, carried, checks }: Concluded): CeremonyRecord {
  return {
    format: recordFormat,
    holdfast_version: version,
    date: systemClock.now().toISOString(),
    purpose: request.purpose,
    cluster: { id: cluster.id, name: cluster.name, trust: cluster.trust },
    ceremony: kindsOf(members),
    generation: carried.generation,
    digest: carried.digest,
    members: members.map((member) => recordedMember(member, carried)),
    removed_member: request.without ?? null,
    trust_checks: [...checks],
  };
}

function recordedMember(
  { name, token, profile }: SurveyedMember,
  { fingerprints, attestation }: CarriedGeneration,
): RecordedMember {
  return {
    name,
    serial_number: token.serialNumber,
    manufacturer: token.manufacturer,
    model: token.model,
    firmware_version: token.firmwareVersion,
    library: `${token.libraryManufacturer}: ${token.libraryDescription} ${token.libraryVersion}`,
    profile: profile.name,
    carry_key_fingerprint: fingerprints.find(({ member }) => member === name)?.fingerprint ?? null,
    attestation,
  };
}
