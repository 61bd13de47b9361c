import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfiguration, Configuration, MemberConfiguration } from './configuration.js';

/** A configuration file that was read again, compared with the configuration in use. */
export interface ConfigurationChanges {
  /** The configuration in use from now on: the old one with the new members and their modules. */
  next: Configuration;
  /** The members that a running service takes up. */
  newMembers: { clusterId: string; member: MemberConfiguration }[];
  /** Every other change, by its place in the file: it needs a restart. */
  needRestart: string[];
}

/**
 * Compares the file, which is valid, with the configuration in use. A running service takes up members of clusters whose
 * keys can be on several of them, and modules. Everything else waits for a restart. That includes a member that is no
 * longer in the file: a line lost by mistake must not take a member out of service (`holdfast cluster drain` does).
 */
export function configurationChanges(inUse: Configuration, read: Configuration): ConfigurationChanges {
  const { path: _, modules, clusters, ...rest } = inUse;
  const needRestart = Object.entries(rest).flatMap(([name, before]) =>
    differences(name, before, read[name as keyof typeof rest]),
  );
  const newModules = read.modules.filter(({ name }) => !modules.some((module) => module.name === name));
  needRestart.push(...changedByName('modules', modules, read.modules));
  needRestart.push(...changedClusters(clusters, read.clusters));
  const newMembers: ConfigurationChanges['newMembers'] = [];
  const nextClusters = clusters.map((cluster) => {
    const added = takenUp(cluster, read.clusters.find(({ id }) => id === cluster.id)?.members ?? []);
    newMembers.push(...added.map((member) => ({ clusterId: cluster.id, member })));
    return { ...cluster, members: [...cluster.members, ...added] };
  });
  const next = { ...inUse, modules: [...modules, ...newModules], clusters: nextClusters };
  return { next, newMembers, needRestart };
}

/** A cluster without replication has one member for ever: another one would lack its keys. */
function takenUp({ replication, members }: ClusterConfiguration, read: readonly MemberConfiguration[]) {
  if (replication === 'none') return [];
  return read.filter(({ name }) => !members.some((member) => member.name === name));
}

function changedClusters(inUse: readonly ClusterConfiguration[], read: readonly ClusterConfiguration[]): string[] {
  const places = inUse.flatMap((cluster) => {
    const place = `clusters.${cluster.name}`;
    const { members: before, ...settings } = cluster;
    const found = read.find(({ id }) => id === cluster.id);
    if (found === undefined) return [`${place} (removed)`];
    const { members, ...readSettings } = found;
    const changed = changedByName(`${place}.members`, before, members);
    const refused = cluster.replication === 'none' ? members.filter(({ name }) => isNew(name, before)) : [];
    const added = refused.map(({ name }) => `${place}.members.${name} (added)`);
    return [...differences(place, settings, readSettings), ...changed, ...added];
  });
  const added = read.filter(({ id }) => !inUse.some((cluster) => cluster.id === id));
  return [...places, ...added.map(({ name }) => `clusters.${name} (added)`)];
}

function isNew(name: string, before: readonly { name: string }[]): boolean {
  return !before.some((each) => each.name === name);
}

/** Those that were changed or removed. */
function changedByName<T extends { name: string }>(place: string, inUse: readonly T[], read: readonly T[]): string[] {
  return inUse.flatMap((before) => {
    const after = read.find(({ name }) => name === before.name);
    if (after === undefined) return [`${place}.${before.name} (removed)`];
    return isDeepStrictEqual(before, after) ? [] : [`${place}.${before.name}`];
  });
}

/** The place, or the places one level below: `limits.queueLimit`. */
function differences(place: string, before: unknown, after: unknown): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isSection(before) || !isSection(after)) return [place];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.filter((name) => !isDeepStrictEqual(before[name], after[name])).map((name) => `${place}.${name}`);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
