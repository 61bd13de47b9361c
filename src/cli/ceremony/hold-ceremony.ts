import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import { isNativeFailure } from '../../hsm/failure.js';
import { describeProfile } from '../../hsm/profiles/describe-profile.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import type { Terminal } from '../terminal.js';
import { requireCeremony } from './ceremony-kind.js';
import { onCeremonyHost } from './ceremony-host.js';
import { attemptCeremony, type CarriedGeneration, ceremonyError, type CeremonyPlan } from './ceremony-run.js';
import { type ComparisonOptions, requireComparison } from './fingerprint-comparison.js';
import { generationState, isComplete } from './generations.js';
import { isGivenUp, type MarkingOptions, requireOneWay } from './marking.js';
import type { GenerationNumbers } from './numbers.js';
import {
  destroyPins,
  type PinOptions,
  readMakerPins,
  readUserPins,
  requireMakerPinSources,
  requirePinSources,
  type UserPins,
} from './pins.js';
import type { CeremonyPurpose } from './record.js';
import { readSigningKey, recordPath, type RecordOptions, requireRecordPlace } from './record-file.js';
import type { SigningKey } from './record-signature.js';
import { concludeCeremony, type Conclusion } from './conclude.js';
import { OperatorSteps } from '../operator-steps.js';
import { type SurveyedMember, surveyMember, surveyMembers } from './survey.js';
import { checkTrustOf } from './trust-check.js';
import { UnrecordedNote } from './unrecorded.js';
import { ceremonyMembers, findWrappedCluster, requireMembers } from './wrapped-cluster.js';

/** The options of all commands that make a generation. */
export interface CeremonyOptions extends PinOptions, ComparisonOptions, RecordOptions, MarkingOptions {
  config: string;
  output: 'table' | 'json';
  besideService?: true;
  /** The recovery members stay behind: a later ceremony must reach them. */
  withoutRecoveryMembers?: true;
}

/** The differences of the commands. */
export interface CeremonyRequest {
  readonly purpose: CeremonyPurpose;
  /** Name or id. */
  readonly cluster: string;
  /** The member without which the generation is made. */
  readonly without?: string;
  readonly numbers: (members: readonly SurveyedMember[]) => GenerationNumbers;
}

/** One command's run, after its options were checked. */
interface Session {
  readonly terminal: Terminal;
  readonly steps: OperatorSteps;
  readonly options: CeremonyOptions;
  readonly request: CeremonyRequest;
  readonly configuration: Configuration;
  readonly cluster: ClusterConfiguration;
  readonly members: readonly MemberConfiguration[];
  readonly signingKey: SigningKey;
}

/**
 * Makes a generation: looks at all members, collects the PINs, carries the keys, attacks them, and writes the record.
 * Everything that an option can get wrong is refused before a token is touched.
 * @throws CliError
 */
export async function holdCeremony(
  terminal: Terminal,
  request: CeremonyRequest,
  options: CeremonyOptions,
): Promise<Conclusion> {
  const configuration = await loadForCommand(options.config);
  const cluster = findWrappedCluster(configuration, request.cluster);
  const members = takingPart(cluster, request, options);
  requireOthers(members, cluster, request.without);
  for (const option of ['soPinFile', 'soPinCommand', 'userPinFile'] as const)
    requireMembers(cluster, spelled(option), options[option]);
  requireComparison(terminal, options);
  requireOneWay(options);
  const names = members.map(({ name }) => name);
  requirePinSources(terminal, configuration, cluster, names, options);
  const signingKey = await readSigningKey(options.signingKey);
  const steps = new OperatorSteps(terminal, options.output);
  const session = { terminal, steps, options, request, configuration, cluster, members, signingKey };
  return onCeremonyHost(configuration, options.besideService === true, () => hold(session));
}

function takingPart(
  cluster: ClusterConfiguration,
  { without }: CeremonyRequest,
  { withoutRecoveryMembers }: CeremonyOptions,
): readonly MemberConfiguration[] {
  const members = withoutRecoveryMembers === true ? cluster.members : ceremonyMembers(cluster);
  return members.filter(({ name }) => name !== without);
}

function requireOthers(
  members: readonly MemberConfiguration[],
  { name }: ClusterConfiguration,
  without: string | undefined,
): void {
  if (members.length > 0) return;
  throw new CliError(exitCodes.checkFailed, 'LAST_MEMBER', `${without ?? ''} is the only member of cluster ${name}`, {
    hint: 'nothing else has its keys: add a member first',
  });
}

async function hold(session: Session): Promise<Conclusion> {
  const { terminal, steps, options, request, configuration, cluster, signingKey } = session;
  const members = await surveyMembers(configuration, cluster, session.members);
  requireCeremony(members, cluster);
  requireMakerPinSources(terminal, configuration, cluster, members, options);
  await introduce(steps, members);
  const pathFor = (number: number): string => recordPath(terminal.directory, cluster.name, number, options.record);
  const { purpose, without = null } = request;
  const note = new UnrecordedNote(pathFor(0), cluster.name, { purpose, clusterId: cluster.id, without });
  const numbers = (await note.generation(members, await lookAtRemoved(session))) ?? request.numbers(members);
  await requireRecordPlace(pathFor(numbers[0]));
  const userPins = await readUserPins(terminal, configuration, cluster, members, options);
  try {
    await note.write(numbers);
    const carried = await carryOne(session, members, numbers, userPins);
    requireMarks(await surveyMembers(configuration, cluster, session.members), carried);
    const { generation } = carried;
    const clusterId = cluster.id;
    const attackers = options.skipUserCheck === true ? undefined : userPins;
    const checks = await checkTrustOf({ configuration, steps, clusterId, generation, members, userPins: attackers });
    const path = pathFor(generation);
    const conclusion = await concludeCeremony({ cluster, request, members, carried, checks, signingKey, path });
    await note.remove();
    return conclusion;
  } finally {
    destroyPins(userPins);
  }
}

/** The member that is left out; undefined if there is none, or it cannot be read. */
async function lookAtRemoved({ configuration, cluster, request }: Session): Promise<SurveyedMember | undefined> {
  const removed = ceremonyMembers(cluster).find(({ name }) => name === request.without);
  if (removed === undefined) return undefined;
  return surveyMember(configuration, cluster.id, removed).catch(() => undefined);
}

/** What the tokens show without a PIN is what every serving process will see. */
function requireMarks(members: readonly SurveyedMember[], { generation, digest }: CarriedGeneration): void {
  const state = generationState(members, generation);
  if (isComplete(state) && state.digests[0] === digest) return;
  throw new CliError(exitCodes.checkFailed, 'GENERATION', `generation ${generation} is not on all members after all`, {
    details: members.map(({ name, generations }) => `member ${name}: ${JSON.stringify(generations)}`),
    hint: 'something destroyed or planted a mark meanwhile; holdfast cluster status shows the marks',
  });
}

async function carryOne(
  session: Session,
  members: readonly SurveyedMember[],
  numbers: GenerationNumbers,
  userPins: UserPins,
): Promise<CarriedGeneration> {
  const { terminal, steps, options, request, configuration, cluster } = session;
  const { id: clusterId, trust } = cluster;
  const pins = await readMakerPins(terminal, members, userPins, options);
  const place = { terminal, steps, configuration, clusterId, enforced: trust === 'enforced' };
  const plan = { ...place, members, pins, comparison: options, marking: options };
  const tokens = members.map(({ token }) => token.serialNumber);
  const parameters = { purpose: request.purpose, cluster_id: clusterId, trust, generations: [...numbers], tokens };
  const act = { operation: 'MakeClusterKeys', resources: [], parameters } as const;
  try {
    return await asOperator(configuration, terminal, act, () => firstPossible(plan, numbers));
  } finally {
    for (const pin of pins) pin.destroy();
  }
}

/** Tries the generations in order. The PINs are tried again only after every token has accepted them. */
async function firstPossible(
  plan: Omit<CeremonyPlan, 'generation'>,
  [generation, ...later]: GenerationNumbers,
): Promise<CarriedGeneration> {
  try {
    return await attemptCeremony({ ...plan, generation });
  } catch (error) {
    const [next, ...rest] = later;
    const isLeft = isUnlikeOnMembers(error) || isGivenUp(error, plan.marking);
    if (next === undefined || !isLeft) throw ceremonyError(error, plan.members);
    const why = isUnlikeOnMembers(error) ? 'cannot be completed, because members lack its keys' : 'is given up';
    const sentence = `generation ${generation} ${why}: ${next} is made`;
    await plan.steps.say('given-up', sentence, { generation, next });
    return firstPossible(plan, [next, ...rest]);
  }
}

/** Whether a generation with a mark is not the same on all members. Nothing was changed then. */
function isUnlikeOnMembers(error: unknown): boolean {
  return isNativeFailure(error) && (error.kind === 'material-missing' || error.kind === 'material-mismatch');
}

async function introduce(steps: OperatorSteps, members: readonly SurveyedMember[]): Promise<void> {
  for (const { name, token, profile, generations } of members) {
    const numbers = generations.map(({ number }) => number);
    const has = numbers.length === 0 ? 'no generation yet' : `generation ${numbers.join(', ')}`;
    const sentence = `member ${name}: token ${token.label}, ${token.model} ${token.serialNumber}; ${describeProfile(profile)}; ${has}`;
    await steps.say('member', sentence, { member: name, serial_number: token.serialNumber, generations: numbers });
  }
}

/** An option as it is typed. */
function spelled(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
