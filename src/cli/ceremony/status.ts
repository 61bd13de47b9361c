import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand } from '../local-configuration.js';
import type { Terminal } from '../terminal.js';
import { writeJson, writeLines } from '../terminal.js';
import { contradictionOf } from './ceremony-kind.js';
import { allGenerations, type GenerationState, generationInUse, isComplete, newestGeneration } from './generations.js';
import { hsmError } from './hsm-error.js';
import { type SurveyedMember, surveyMember } from './survey.js';
import { ceremonyMembers, findWrappedCluster } from './wrapped-cluster.js';

/** The options of `cluster status`. */
export interface ClusterStatusOptions {
  config: string;
  output: 'table' | 'json';
}

/** A member, or why it cannot be read. */
type Seen = { name: string; member: SurveyedMember } | { name: string; problem: string };

/**
 * Shows the generations of each member, without a PIN. They are what the tokens' marks say, which anyone can plant.
 * @throws CliError if there is no generation in use, or a member lacks it or cannot be read
 */
export async function showClusterStatus(
  terminal: Terminal,
  named: string,
  { config, output }: ClusterStatusOptions,
): Promise<void> {
  const configuration = await loadForCommand(config);
  const cluster = findWrappedCluster(configuration, named);
  const seen: Seen[] = [];
  for (const member of ceremonyMembers(cluster)) seen.push(await look(configuration, cluster, member));
  const members = seen.flatMap((one) => ('member' in one ? [one.member] : []));
  if (output === 'json') await writeJson(terminal.stdout, asJson(cluster, seen, members));
  else await writeLines(terminal.stdout, asLines(cluster, seen, members));
  const problem = trustProblem(cluster, members) ?? problemOf(seen, members);
  if (problem !== undefined)
    throw new CliError(exitCodes.checkFailed, problem.code, problem.message, { hint: problem.hint });
}

async function look(
  configuration: Configuration,
  cluster: ClusterConfiguration,
  member: MemberConfiguration,
): Promise<Seen> {
  const { name } = member;
  try {
    return { name, member: await surveyMember(configuration, cluster.id, member) };
  } catch (error) {
    const told = hsmError(error, undefined);
    if (!(told instanceof CliError)) throw error;
    return { name, problem: told.message };
  }
}

function asJson(cluster: ClusterConfiguration, seen: readonly Seen[], members: readonly SurveyedMember[]): object {
  return {
    cluster_id: cluster.id,
    name: cluster.name,
    trust: cluster.trust,
    generation_in_use: generationInUse(members, cluster.minimumMembers)?.number ?? null,
    generations: allGenerations(members).map((state) => ({ ...state, complete: isComplete(state) })),
    members: seen.map((one) =>
      'problem' in one
        ? { name: one.name, problem: one.problem }
        : {
            name: one.name,
            serial_number: one.member.token.serialNumber,
            model: one.member.token.model,
            firmware_version: one.member.token.firmwareVersion,
            profile: one.member.profile.name,
            ceremony: one.member.profile.ceremony.value,
            generations: one.member.generations,
          },
    ),
  };
}

function asLines(cluster: ClusterConfiguration, seen: readonly Seen[], members: readonly SurveyedMember[]): string[] {
  const inUse = generationInUse(members, cluster.minimumMembers);
  const newest = newestGeneration(members);
  return [
    `cluster ${cluster.name} (${cluster.id}): ${inUse === undefined ? 'no generation' : `generation ${inUse.number} is in use`}${cluster.trust === 'enforced' ? '' : ', trust: unenforced'}`,
    ...seen.flatMap((one) =>
      'problem' in one ? [`member ${one.name}: ${one.problem}`] : memberLines(one.member, newest),
    ),
    ...allGenerations(members)
      .filter(({ digests }) => digests.length > 1)
      .map(({ number }) => `generation ${number}: the marks contradict each other, and it is not used`),
  ];
}

function memberLines({ name, token, generations }: SurveyedMember, newest: GenerationState | undefined): string[] {
  const isBehind = newest?.missing.includes(name) === true;
  return [
    `member ${name}: ${token.model} ${token.serialNumber}${isBehind ? `, behind: it has no generation ${newest.number}` : ''}`,
    ...generations.map(({ number, digest }) => `  generation ${number}  ${digest}`),
  ];
}

interface Problem {
  code: string;
  message: string;
  hint: string;
}

function trustProblem({ trust }: ClusterConfiguration, members: readonly SurveyedMember[]): Problem | undefined {
  const names = members.filter((member) => contradictionOf(member, trust) !== undefined).map(({ name }) => name);
  if (names.length === 0) return undefined;
  return {
    code: 'TRUST_CHANGED',
    message: `the configuration says trust: ${trust}, and the marks say otherwise on ${names.join(', ')}`,
    hint: 'trust is chosen when a cluster is made, and never changed: set clusters[].trust back',
  };
}

function problemOf(seen: readonly Seen[], members: readonly SurveyedMember[]): Problem | undefined {
  const lost = seen.filter((one) => 'problem' in one).map(({ name }) => name);
  if (lost.length > 0)
    return {
      code: 'UNREADABLE',
      message: `not all members can be read: ${lost.join(', ')}`,
      hint: 'holdfast doctor says why',
    };
  const newest = newestGeneration(members);
  if (newest === undefined && members.every(({ generations }) => generations.length === 0))
    return {
      code: 'NO_GENERATION',
      message: 'the cluster has no wrapping keys yet',
      hint: 'holdfast cluster init makes them',
    };
  if (allGenerations(members).some(({ digests }) => digests.length > 1))
    return {
      code: 'CONTRADICTION',
      message: 'members have different marks of one generation',
      hint: 'holdfast cluster rotate-wrapping-key makes a new generation',
    };
  if (newest === undefined || newest.missing.length === 0) return undefined;
  return {
    code: 'BEHIND',
    message: `generation ${newest.number} is not on all members: ${newest.missing.join(', ')}`,
    hint: 'holdfast cluster add-member completes it, or makes the next one on all members',
  };
}
