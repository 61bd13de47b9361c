import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type ConfigurationChanges, configurationChanges } from './changes.js';
import type { Configuration } from './configuration.js';
import { exampleConfiguration } from './example.js';
import { parseConfiguration } from './load.js';

interface Tree {
  listeners: object[];
  modules: Record<string, object>;
  clusters: {
    id: string;
    name: string;
    replication: string;
    minimumMembers: number;
    members: object[];
    recoveryMembers?: object[];
  }[];
  limits: Record<string, number>;
}

const member = (name: string, module = 'softhsm') => ({ name, module, tokenLabel: `token-${name}` });

/** A wrapped cluster with members `a` and `b`, changed. */
function configuration(
  change: (tree: Tree, cluster: Tree['clusters'][number]) => void = () => undefined,
): Configuration {
  const tree = parse(exampleConfiguration('cluster-abcdefghijk')) as Tree;
  const [cluster] = tree.clusters;
  if (cluster === undefined) throw new Error('The example has a cluster.');
  Object.assign(cluster, { replication: 'wrapped', minimumMembers: 2, members: [member('a'), member('b')] });
  change(tree, cluster);
  return parseConfiguration(stringify(tree), '/etc/holdfast/holdfast.yaml');
}

const changesTo = (...change: Parameters<typeof configuration>): ConfigurationChanges =>
  configurationChanges(configuration(), configuration(...change));

const added = ({ newMembers }: ConfigurationChanges) => newMembers.map(({ member: { name } }) => name);

describe('a file that was read again', () => {
  test('without changes changes nothing', () => {
    expect(changesTo()).toEqual({ next: configuration(), newMembers: [], needRestart: [] });
  });

  test('may add members, with modules of their own', () => {
    const changes = changesTo((tree, { members }) => {
      tree.modules['other'] = { path: '/usr/lib/other.so' };
      members.splice(1, 0, member('c', 'other'));
    });
    expect(changes.needRestart).toEqual([]);
    expect(added(changes)).toEqual(['c']);
    expect(changes.next.clusters[0]?.members.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(changes.next.modules.map(({ name }) => name)).toEqual(['softhsm', 'other']);
  });

  test('is compared with what is in use: a member is added once', () => {
    const more = configuration((_, { members }) => members.push(member('c')));
    const { next } = configurationChanges(configuration(), more);
    expect(configurationChanges(next, more)).toEqual({ next, newMembers: [], needRestart: [] });
  });

  test('takes no member away, and the new ones are taken up all the same', () => {
    const changes = changesTo((_, cluster) => (cluster.members = [member('a'), member('c')]));
    expect(changes.needRestart).toEqual(['clusters.main.members.b (removed)']);
    expect(added(changes)).toEqual(['c']);
    expect(changes.next.clusters[0]?.members.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  const onlyBesideOthers: [string, Parameters<typeof configuration>[0], string[]][] = [
    [
      'on a module that was changed',
      (tree, { members }) => {
        tree.modules['softhsm'] = { path: '/other.so' };
        members.push(member('c'));
      },
      ['modules.softhsm'],
    ],
    [
      'that has the token of a member in use',
      (_, { members }) => members.splice(1, 1, { ...member('c'), tokenLabel: 'token-b' }),
      ['clusters.main.members.b (removed)'],
    ],
  ];
  test.each(onlyBesideOthers)('a new member %s waits for the restart with the change', (_, change, expected) => {
    const { next, newMembers, needRestart } = changesTo(change);
    const waiting = needRestart.filter((place) => !place.endsWith('(added)'));
    expect([waiting, newMembers]).toEqual([expected, []]);
    expect(needRestart).toContain('clusters.main.members.c (added)');
    expect(next).toEqual(configuration());
  });

  const restarts: [string, Parameters<typeof configuration>[0], string[]][] = [
    ['listeners', (tree) => tree.listeners.pop(), ['listeners']],
    [
      'limits',
      (tree) => (tree.limits = { queueLimit: 7, drainTimeoutMs: 7 }),
      ['limits.drainTimeoutMs', 'limits.queueLimit'],
    ],
    ['a module', (tree) => (tree.modules['softhsm'] = { path: '/other.so' }), ['modules.softhsm']],
    ['the minimum', (_, cluster) => (cluster.minimumMembers = 1), ['clusters.main.minimumMembers']],
    ['a token', (_, cluster) => (cluster.members[0] = { ...member('a'), lanes: 3 }), ['clusters.main.members.a']],
    [
      'replication',
      (_, cluster) => Object.assign(cluster, { replication: 'none', minimumMembers: 1, members: [member('a')] }),
      ['clusters.main.replication', 'clusters.main.minimumMembers', 'clusters.main.members.b (removed)'],
    ],
    [
      'another cluster',
      (tree, cluster) =>
        tree.clusters.push({
          ...cluster,
          id: 'cluster-zyxwvutsrqp',
          name: 'second',
          members: [member('c'), member('d')],
          recoveryMembers: [],
        }),
      ['clusters.second (added)'],
    ],
  ];
  test.each(restarts)('says that %s needs a restart', (_, change, expected) => {
    const { next, newMembers, needRestart } = changesTo(change);
    expect(needRestart.toSorted()).toEqual(expected.toSorted());
    expect(newMembers).toEqual([]);
    expect(next).toEqual(configuration());
  });

  test('a cluster without replication gets no member', () => {
    const single = configuration((_, cluster) =>
      Object.assign(cluster, { replication: 'none', minimumMembers: 1, members: [member('a')] }),
    );
    const { newMembers, needRestart } = configurationChanges(single, configuration());
    expect(newMembers).toEqual([]);
    expect(needRestart).toContain('clusters.main.members.b (added)');
  });
});
