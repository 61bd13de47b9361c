import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import { CliError, exitCodes, usageError } from '../exit-codes.js';
import type { MemberValues } from './member-values.js';

/** The cluster that an operator named, by its name or id. @throws CliError if there is none */
function findCluster({ clusters, path }: Configuration, named: string): ClusterConfiguration {
  const cluster = clusters.find(({ id, name }) => id === named || name === named);
  if (cluster !== undefined) return cluster;
  const known = clusters.map(({ id, name }) => `${name} (${id})`).join(', ');
  throw new CliError(exitCodes.checkFailed, 'NOT_FOUND', `${path} has no cluster ${named}`, {
    hint: `it has ${known}`,
  });
}

/** The same, for commands that concern wrapping keys. @throws CliError if its members do not share any */
export function findWrappedCluster(configuration: Configuration, named: string): ClusterConfiguration {
  const cluster = findCluster(configuration, named);
  if (cluster.replication === 'wrapped') return cluster;
  throw new CliError(
    exitCodes.checkFailed,
    'NOT_WRAPPED',
    `cluster ${cluster.name} has replication: ${cluster.replication}, and such a cluster has no wrapping keys`,
    {
      hint: 'keys that were made without wrapping keys can never get any: make a new cluster with replication: wrapped',
    },
  );
}

/** All members that hold the wrapping keys: those that serve, and those for recovery. */
export function ceremonyMembers({ members, recoveryMembers }: ClusterConfiguration): readonly MemberConfiguration[] {
  return [...members, ...recoveryMembers];
}

/** @throws CliError if a value is for a member that the cluster does not have */
export function requireMembers(cluster: ClusterConfiguration, option: string, values: MemberValues | undefined): void {
  for (const name of values?.keys() ?? []) {
    const members = ceremonyMembers(cluster);
    if (members.some((member) => member.name === name)) continue;
    const known = members.map((member) => member.name).join(', ');
    throw usageError(`${option}: cluster ${cluster.name} has no member ${name}`, `its members are ${known}`);
  }
}
