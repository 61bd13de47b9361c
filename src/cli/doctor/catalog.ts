import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Configuration } from '../../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf } from './finding.js';

/** The catalog: opened for reading only, so that nothing is made and nothing migrated. */
export async function checkCatalog({ catalog }: Configuration): Promise<Finding> {
  const subject = `catalog ${catalog.path}`;
  try {
    const found = await stat(catalog.path).catch(() => undefined);
    if (found === undefined) {
      await access(dirname(catalog.path), constants.W_OK);
      return ok(subject, 'will be made at the first start');
    }
    if ((found.mode & 0o077) !== 0)
      return fail(
        subject,
        `it is open to others (mode ${(found.mode & 0o777).toString(8)})`,
        `chmod 600 ${catalog.path}`,
      );
    return await inspect(catalog.path, subject);
  } catch (error) {
    return fail(
      subject,
      `it cannot be used: ${reasonOf(error)}`,
      'check the path, and that its folder is writable by this user only',
    );
  }
}

async function inspect(path: string, subject: string): Promise<Finding> {
  const { default: Database } = await import('better-sqlite3');
  const { applicationId } = await import('../../storage/sqlite-connection.js');
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const found = database.pragma('application_id', { simple: true });
    if (found !== applicationId) return fail(subject, 'it is a database of another program', 'name another file');
    const result = database.pragma('quick_check(1)', { simple: true });
    if (result !== 'ok')
      return fail(
        subject,
        `it is damaged: ${String(result)}`,
        'stop the service and restore the catalog from a backup',
      );
    const { schemaVersion } = await import('../../storage/migrations.js');
    const version = database.prepare('select schema_version from catalog_metadata').pluck().get();
    if (typeof version !== 'number' || version > schemaVersion)
      return fail(
        subject,
        `its schema is ${String(version)}, and this version of Holdfast knows schemas up to ${schemaVersion}`,
        'start the newer version that last used it',
      );
    return ok(subject, 'opens, and its structure is sound');
  } finally {
    database.close();
  }
}
