import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfiguration, Configuration, MemberConfiguration } from './configuration.js';
import { semanticProblems } from './semantics.js';

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
 * longer in the file: a line lost by mistake must not take a member out of service (`holdfast cluster drain` does). It
 * also includes a new member that is valid only beside other changes: its module or its token is not what is in use.
 */
export function configurationChanges(inUse: Configuration, read: Configuration): ConfigurationChanges {
  const { path: _, modules, clusters, ...rest } = inUse;
  const needRestart = Object.entries(rest).flatMap(([name, before]) =>
    differences(name, before, read[name as keyof typeof rest]),
  );
  needRestart.push(...changedByName('modules', modules, read.modules));
  needRestart.push(...changedClusters(clusters, read.clusters));
  const newMembers: ConfigurationChanges['newMembers'] = [];
  let next = inUse;
  for (const { id, name, members } of clusters) {
    for (const member of read.clusters.find((cluster) => cluster.id === id)?.members ?? []) {
      if (!isNew(member.name, members)) continue;
      const withIt = withMember(next, read, id, member);
      if (withIt !== undefined) newMembers.push({ clusterId: id, member });
      else needRestart.push(`clusters.${name}.members.${member.name} (added)`);
      next = withIt ?? next;
    }
  }
  return { next, newMembers, needRestart };
}

/**
 * The configuration in use and a new member with its module.
 * @returns undefined if the member needs another module than that in use, or has the token of a member that is, or if
 *   its cluster has no replication: that has one member for ever, as another one would lack its keys
 */
function withMember(
  inUse: Configuration,
  read: Configuration,
  clusterId: string,
  member: MemberConfiguration,
): Configuration | undefined {
  const named = ({ modules }: Configuration) => modules.find(({ name }) => name === member.module);
  const [present, wanted] = [named(inUse), named(read)];
  if (wanted === undefined || (present !== undefined && !isDeepStrictEqual(present, wanted))) return undefined;
  const modules = present === undefined ? [...inUse.modules, wanted] : inUse.modules;
  const clusters = inUse.clusters.map((cluster) =>
    cluster.id === clusterId ? { ...cluster, members: [...cluster.members, member] } : cluster,
  );
  const next = { ...inUse, modules, clusters };
  return semanticProblems(next).length > semanticProblems(inUse).length ? undefined : next;
}

function changedClusters(inUse: readonly ClusterConfiguration[], read: readonly ClusterConfiguration[]): string[] {
  const places = inUse.flatMap((cluster) => {
    const place = `clusters.${cluster.name}`;
    const { members: before, ...settings } = cluster;
    const found = read.find(({ id }) => id === cluster.id);
    if (found === undefined) return [`${place} (removed)`];
    const { members, ...readSettings } = found;
    return [...differences(place, settings, readSettings), ...changedByName(`${place}.members`, before, members)];
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
