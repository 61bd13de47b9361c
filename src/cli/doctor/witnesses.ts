import { existsSync } from 'node:fs';
import type { Configuration } from '../../config/configuration.js';
import { fail, type Finding, ok, warn } from '../../preconditions/finding.js';
import { configuredCatalogProblem } from '../../composition/configured-catalog.js';
import { readRecordedWitnesses, type RecordedWitnesses } from '../../storage/recorded-witnesses.js';

/**
 * What the catalog knows of its witnesses. Reading them takes a login, which `doctor` does not make: `serve` compares them
 * when it logs in.
 */
export async function checkWitnesses(configuration: Configuration): Promise<Finding[]> {
  const { path } = configuration.catalog;
  // Another check reports what is wrong with it.
  if (!existsSync(path) || (await configuredCatalogProblem(configuration)) !== undefined) return [];
  const recorded = readRecordedWitnesses(path);
  if (recorded === undefined) return [];
  if (recorded.rollback !== undefined)
    return [
      fail('witnesses', recorded.rollback.message, 'put the newest catalog back, or see docs/operating/rollback.md'),
    ];
  return configuration.clusters.flatMap(({ id, name, members }) =>
    members.flatMap((member) => findingOf(`member ${member.name} of cluster ${name}`, id, member.name, recorded)),
  );
}

function findingOf(subject: string, clusterId: string, memberName: string, recorded: RecordedWitnesses): Finding[] {
  // A catalog without a change needs no witness.
  if (recorded.epoch === 0) return [];
  const row = recorded.members.find((each) => each.clusterId === clusterId && each.memberName === memberName);
  if (row === undefined)
    return [warn(subject, 'has no witness of the catalog yet', 'it is written within a minute of its connection')];
  const words = `its witness has epoch ${row.epoch} of ${recorded.epoch}, and is of ${row.writtenDate.toISOString()}`;
  if (row.epoch === recorded.epoch) return [ok(subject, words)];
  return [warn(subject, words, 'it is refreshed within a minute while the member is open in a server')];
}
