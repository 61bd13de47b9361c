import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import { fail, type Finding, ok, reasonOf, warn } from '../../preconditions/finding.js';
import { checkModule } from '../../preconditions/modules.js';
import { newestGeneration } from '../ceremony/generations.js';
import { type SurveyedMember, surveyMember } from '../ceremony/survey.js';
import { ceremonyMembers } from '../ceremony/wrapped-cluster.js';

/**
 * Whether the members for recovery have the newest generation of wrapping keys, as the marks on the tokens say: one that was left
 * out of a ceremony opens no archive that was made since. The service does not open them, so only this shows it. It needs no PIN.
 */
export async function checkRecoveryMembers(configuration: Configuration): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const cluster of configuration.clusters)
    if (cluster.recoveryMembers.length > 0) findings.push(...(await checkCluster(configuration, cluster)));
  return findings;
}

async function checkCluster(configuration: Configuration, cluster: ClusterConfiguration): Promise<Finding[]> {
  const subjectOf = (name: string): string => `recovery member ${name} of cluster ${cluster.name}`;
  const findings: Finding[] = [];
  const surveyed: SurveyedMember[] = [];
  for (const member of ceremonyMembers(cluster)) {
    const seen = await survey(configuration, cluster, member);
    if (typeof seen !== 'string') surveyed.push(seen);
    else if (cluster.recoveryMembers.includes(member))
      findings.push(
        warn(subjectOf(member.name), seen, 'reach it now and then, or you cannot know that it opens archives'),
      );
  }
  const newest = newestGeneration(surveyed);
  if (newest === undefined) return findings;
  const recovery = surveyed.filter(({ name }) => cluster.recoveryMembers.some((member) => member.name === name));
  return [
    ...findings,
    ...recovery.map(({ name }) =>
      newest.missing.includes(name)
        ? fail(
            subjectOf(name),
            `it has no generation ${newest.number} of the wrapping keys: it opens no archive that was made with it`,
            `bring it to the next ceremony: holdfast cluster add-member ${cluster.name}`,
          )
        : ok(subjectOf(name), `has generation ${newest.number} of the wrapping keys`),
    ),
  ];
}

/** @returns the reason if it cannot be read */
async function survey(
  configuration: Configuration,
  cluster: ClusterConfiguration,
  member: MemberConfiguration,
): Promise<SurveyedMember | string> {
  const module = configuration.modules.find(({ name }) => name === member.module);
  // The check of the module reports one that would hang.
  if (module === undefined || (await checkModule(module)).some(({ prevents }) => prevents === 'start'))
    return 'its module cannot be loaded';
  try {
    return await surveyMember(configuration, cluster.id, member);
  } catch (error) {
    return `its token cannot be read: ${reasonOf(error)}`;
  }
}
