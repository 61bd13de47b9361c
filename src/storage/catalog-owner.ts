import type Sqlite from 'better-sqlite3';
import type { CatalogOwner } from './catalog-problem.js';

interface Group {
  account: string;
  region: string;
  clusterId: string;
  count: number;
}

/**
 * The content of a catalog that the configuration cannot name: keys and stores of another account or region, or only of
 * another deployment's clusters. Tombstones do not count.
 * @returns a sentence; undefined if it belongs to this deployment, or is new
 */
export function strangersIn(connection: Sqlite.Database, { identity, clusterIds }: CatalogOwner): string | undefined {
  const groups = [...groupsOf(connection, keysQuery), ...groupsOf(connection, storesQuery)];
  const stranger = groups.find(
    ({ account, region }) => region !== identity.region || !identity.accounts.includes(account),
  );
  if (stranger !== undefined) {
    const { account, region, count } = stranger;
    const ours = `${identity.accounts.join(', ')} in ${identity.region}`;
    return `The catalog holds ${count} ${count === 1 ? 'entry' : 'entries'} of account ${account} in ${region}, and identity names ${ours}.`;
  }
  const clusters = new Set(groups.map(({ clusterId }) => clusterId));
  if (clusters.size === 0 || clusterIds.some((id) => clusters.has(id))) return undefined;
  return `Everything in the catalog belongs to ${[...clusters].sort().join(', ')}, and the configuration has no such cluster.`;
}

const columns = 'account, region, cluster_id as clusterId, count(*) as count';
const keysQuery = `select ${columns} from keys where state <> 'Deleted' group by account, region, cluster_id`;
const storesQuery = `select ${columns} from custom_key_stores group by account, region, cluster_id`;

function groupsOf(connection: Sqlite.Database, query: string): Group[] {
  return connection.prepare<[], Group>(query).all();
}
