import { loadAddon } from '../../hsm/native.js';
import type { NativeCeremony } from '../../hsm/native-ceremony.js';
import { isNativeFailure } from '../../hsm/failure.js';
import type { Configuration } from '../../config/configuration.js';
import type { Secret } from '../../secret.js';
import type { Terminal } from '../terminal.js';
import {
  compareFingerprints,
  type ComparisonOptions,
  type ShownFingerprint,
  shownFingerprints,
} from './fingerprint-comparison.js';
import { hsmError } from './hsm-error.js';
import { confirmEarlierKeys, type MarkingOptions, requireNothingToResume, waitForOfficer } from './marking.js';
import { underModuleLocks } from './module-locks.js';
import type { Attestation } from './record.js';
import type { OperatorSteps } from '../operator-steps.js';
import type { SurveyedMember } from './survey.js';

/** Everything that one ceremony needs. */
export interface CeremonyPlan {
  readonly terminal: Terminal;
  readonly steps: OperatorSteps;
  readonly configuration: Configuration;
  readonly clusterId: string;
  readonly generation: number;
  readonly members: readonly SurveyedMember[];
  /** Whether every member must enforce trust. */
  readonly enforced: boolean;
  /** Of whoever makes the keys; one for each member, in their order. */
  readonly pins: readonly Secret[];
  readonly marking: MarkingOptions;
  readonly comparison: ComparisonOptions;
}

/** The outcome of a ceremony. */
export interface CarriedGeneration {
  readonly generation: number;
  /** 64 hex digits. */
  readonly digest: string;
  /** Empty if an earlier run had carried the keys. */
  readonly fingerprints: readonly ShownFingerprint[];
  readonly attestation: Attestation;
}

/**
 * Gives all members the generation. A run that was broken off, wherever, is completed by another one; a PIN that a token
 * refuses ends it at once.
 * @throws NativeFailure, whose member is an index; CliError
 */
export async function attemptCeremony(plan: CeremonyPlan): Promise<CarriedGeneration> {
  const modules = plan.members.map(({ native }) => native.module);
  const ceremony = await underModuleLocks(plan.configuration, modules, () => openAndLogIn(plan));
  try {
    return await carry(ceremony, plan);
  } finally {
    await ceremony.close();
  }
}

async function openAndLogIn(plan: CeremonyPlan): Promise<NativeCeremony> {
  const { clusterId, generation, members, enforced, pins, steps } = plan;
  const natives = members.map(({ native }) => native);
  const ceremony = await loadAddon().openCeremony(clusterId, generation, natives, enforced);
  try {
    for (const [index, { name, token, native }] of members.entries()) {
      const pin = pins[index];
      if (pin === undefined) throw new Error(`There is no PIN for member ${name}.`);
      await ceremony.logIn(index, pin.reveal());
      const who = native.maker === 'officer' ? 'security officer' : 'user';
      await steps.say('logged-in', `member ${name}: the ${who} is logged in (${token.serialNumber})`, {
        member: name,
        serial_number: token.serialNumber,
        as: native.maker === 'officer' ? 'officer' : 'user',
      });
    }
    return ceremony;
  } catch (error) {
    await ceremony.close();
    throw error;
  }
}

async function carry(ceremony: NativeCeremony, plan: CeremonyPlan): Promise<CarriedGeneration> {
  const { terminal, steps, generation, members, comparison, marking } = plan;
  const fingerprints = shownFingerprints(await ceremony.prepare(marking.anew === true));
  const wereThere = fingerprints.length === 0;
  if (!wereThere) requireNothingToResume(marking);
  const attestation = wereThere
    ? await carriedBefore(steps, generation)
    : await compareFingerprints(terminal, steps, fingerprints, comparison);
  let state = await ceremony.complete();
  if (wereThere && !state.complete) {
    await confirmEarlierKeys(plan, state.digest);
    if (state.unmarked.length === 0) state = await ceremony.complete();
  }
  while (!state.complete) {
    await waitForOfficer(plan, state);
    state = await ceremony.complete();
  }
  const digest = Buffer.from(state.digest).toString('hex');
  const names = members.map(({ name }) => name).join(', ');
  await steps.say('completed', `generation ${generation} is complete on ${names}; digest ${digest}`, {
    generation,
    digest,
  });
  return { generation, digest, fingerprints, attestation };
}

async function carriedBefore(steps: OperatorSteps, generation: number): Promise<Attestation> {
  await steps.say(
    'carried-before',
    `generation ${generation} was carried by an earlier run; only marks may be missing`,
    {
      generation,
    },
  );
  return 'unattested';
}

/** A failure of a ceremony as the command's error. The addon names its member by index. */
export function ceremonyError(error: unknown, members: readonly SurveyedMember[]): unknown {
  return hsmError(error, isNativeFailure(error) ? members[error.member]?.name : undefined);
}
