/** Relations between modules and members: which share an instance of a library, and which mean one token. */
import { statSync } from 'node:fs';
import type { Configuration, ModuleConfiguration } from './configuration.js';
import { formatPath } from './problem.js';

type Report = (path: string, message: string) => void;

/**
 * A process has one instance of a library, initialised once. Two modules that share it must agree on its options;
 * otherwise the options of one would be ignored.
 */
export function checkSharedModules({ modules }: Configuration, report: Report): void {
  const shared = modules.filter(({ privateInstance }) => !privateInstance);
  shared.forEach((module, index) => {
    const first = shared.slice(0, index).find(({ path }) => libraryOf(path) === libraryOf(module.path));
    if (first === undefined) return;
    const differing = differences(first, module);
    if (differing.length === 0) return;
    const other = formatPath(['modules', first.name]);
    report(
      formatPath(['modules', module.name]),
      `is the library of ${other} with another ${differing.join(' and another ')}, and a process has one instance of a library: ` +
        'set privateInstance: true on one of the two, or make them alike',
    );
  });
}

/** Only checks that need no HSM: a label and a serial number may still mean one token, which connecting detects. */
export function checkTokens(
  { clusters, modules }: Configuration,
  reportDuplicates: (identities: string[], path: (index: number) => string) => void,
): void {
  const tokens = clusters.flatMap((cluster, index) =>
    (['members', 'recoveryMembers'] as const).flatMap((list) =>
      cluster[list].map((member, memberIndex) => ({
        path: `clusters[${index}].${list}[${memberIndex}]`,
        identity: JSON.stringify([moduleIdentity(modules, member.module), member.token.kind, member.token.value]),
      })),
    ),
  );
  reportDuplicates(
    tokens.map(({ identity }) => identity),
    (index) => tokens[index]?.path ?? '',
  );
}

/** Two modules with the same library and the same options see the same tokens, even with private instances. */
function moduleIdentity(modules: readonly ModuleConfiguration[], name: string): unknown {
  const module = modules.find((candidate) => candidate.name === name);
  if (module === undefined) return name;
  return [libraryOf(module.path), sorted(module.environment), module.initializationString];
}

function differences(one: ModuleConfiguration, other: ModuleConfiguration): string[] {
  const names = new Set([...Object.keys(one.environment), ...Object.keys(other.environment)]);
  const variables = [...names].filter((name) => one.environment[name] !== other.environment[name]).sort();
  return [
    ...(variables.length === 0 ? [] : [`environment (${variables.join(', ')})`]),
    ...(one.initializationString === other.initializationString ? [] : ['initializationString']),
  ];
}

/** Sorts the variables, because their order has no meaning. */
function sorted(environment: ModuleConfiguration['environment']): [name: string, value: string][] {
  return Object.entries(environment).sort(([one], [other]) => (one < other ? -1 : 1));
}

/**
 * The identity of the file at a path, which is the same under all its names (links of both kinds, mounts). It is the
 * path itself if the file cannot be examined, because it is on another machine or not accessible to this user; `doctor`
 * says which.
 */
function libraryOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
