import type { Configuration } from '../../config/configuration.js';
import { loadAddon } from '../../hsm/native.js';
import { readReturnValues } from '../../hsm/return-values.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { hsmError } from './hsm-error.js';
import { underModuleLocks } from './module-locks.js';
import type { UserPins } from './pins.js';
import type { TrustCheck } from './record.js';
import type { OperatorSteps } from '../operator-steps.js';
import { deadlineOf, type SurveyedMember } from './survey.js';

/** Everything that the attacks need. */
export interface TrustCheckPlan {
  readonly configuration: Configuration;
  readonly steps: OperatorSteps;
  readonly clusterId: string;
  readonly generation: number;
  readonly members: readonly SurveyedMember[];
  /** Undefined: the attacks as user are left out. */
  readonly userPins: UserPins | undefined;
}

/** CK_TOKEN_INFO.flags, PKCS#11 v2.40 §3.2. */
const userPinFinalTry = 0x2_0000;
const userPinLocked = 0x4_0000;

/**
 * Tries the attacks of docs/decisions/0016 on every member, as the holder of the user PIN and without any PIN.
 * @throws CliError if a member cannot be attacked: then nothing is known of it
 */
export async function checkTrustOf(plan: TrustCheckPlan): Promise<TrustCheck[]> {
  const checks: TrustCheck[] = [];
  for (const member of plan.members) {
    try {
      checks.push(await attackAsUser(plan, member), await attack(plan, member, null));
    } catch (error) {
      throw hsmError(error, member.name, 'user');
    }
  }
  return checks;
}

async function attackAsUser(plan: TrustCheckPlan, member: SurveyedMember): Promise<TrustCheck> {
  const { steps, userPins } = plan;
  const { name } = member;
  if (userPins === undefined) {
    await steps.say('trust-check', `member ${name}: the attacks as user are left out`, { member: name, skipped: true });
    return { member: name, attacker: 'user', skipped: true, attacks: [] };
  }
  const pin = userPins.get(name);
  if (pin === undefined) throw new Error(`There is no user PIN for member ${name}.`);
  requireUserPinMayBeTried(member);
  return attack(plan, member, pin.reveal());
}

async function attack(plan: TrustCheckPlan, member: SurveyedMember, pin: Uint8Array | null): Promise<TrustCheck> {
  const { configuration, steps, clusterId, generation } = plan;
  const { name, native } = member;
  const outcomes = await underModuleLocks(configuration, [native.module], () =>
    loadAddon().checkTrust(native, clusterId, generation, pin, deadlineOf(configuration)),
  );
  const returnValues = readReturnValues(loadAddon().returnValues());
  const attacks = outcomes.map((outcome) => ({
    attack: outcome.attack,
    held: outcome.held,
    return_value: returnValues(outcome.rv).name,
    detail: outcome.detail,
  }));
  const attacker = pin === null ? 'nobody' : 'user';
  const failed = attacks.filter(({ held }) => held).length;
  await steps.say(
    'trust-check',
    `member ${name}: withstood ${failed} of ${attacks.length} attacks ${pin === null ? 'without a PIN' : 'as user'}`,
    { member: name, attacker, tried: attacks.length, held: failed },
  );
  return { member: name, attacker, skipped: false, attacks };
}

/** Refuses a login that could lock the PIN. @throws CliError */
export function requireUserPinMayBeTried({ name, token }: SurveyedMember): void {
  if ((token.flags & (userPinFinalTry | userPinLocked)) === 0) return;
  throw new CliError(
    exitCodes.checkFailed,
    'LOGIN',
    `member ${name}: its user PIN is locked or has one attempt left; it was not tried`,
    { hint: 'log in with the vendor’s tool first, then run the command again' },
  );
}
