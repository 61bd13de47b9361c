import { existsSync } from 'node:fs';
import type { Configuration } from '../../config/configuration.js';
import { keyArn } from '../../keys/arn.js';
import type { SqliteCatalog } from '../../storage/sqlite.js';
import { onCatalog } from '../local-configuration.js';

/** A key whose material the members of a cluster have. */
export interface KeyOnMember {
  readonly arn: string;
  readonly materialIds: readonly string[];
}

const pageSize = 500;

/**
 * The keys of a cluster that are not deleted, with the materials that were not destroyed. Undefined if this host does
 * not have the catalog.
 * @throws CliError if the catalog cannot be read
 */
export async function keysOnMember(
  configuration: Configuration,
  clusterId: string,
): Promise<readonly KeyOnMember[] | undefined> {
  if (!existsSync(configuration.catalog.path)) return undefined;
  return onCatalog(configuration, async (catalog) => {
    const keys: KeyOnMember[] = [];
    for (const account of configuration.identity.accounts)
      keys.push(...(await keysOfAccount(catalog, configuration, account, clusterId)));
    return keys;
  });
}

async function keysOfAccount(
  catalog: SqliteCatalog,
  { identity }: Configuration,
  account: string,
  clusterId: string,
): Promise<KeyOnMember[]> {
  const scope = { account, region: identity.region };
  const found: KeyOnMember[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await catalog.listKeys(scope, after, pageSize);
    for (const key of page.filter((one) => one.clusterId === clusterId)) {
      const materials = await catalog.listMaterialsOfKey(key.keyId);
      const present = materials.filter(({ destroyedDate }) => destroyedDate === null);
      found.push({ arn: keyArn(identity, key), materialIds: present.map(({ materialId }) => materialId) });
    }
    if (page.length < pageSize) return found;
    after = page.at(-1)?.keyId;
  }
}
