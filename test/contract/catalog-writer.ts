/** A process that makes keys in a catalog until it is killed, and reports each acknowledged one to its parent. */
import { systemClock } from '../../src/clock-system.js';
import { HoldfastError } from '../../src/errors.js';
import { openTestCatalog } from '../catalog-file.js';
import { addKey, aliasFor } from './catalog-records.js';

const catalog = await openTestCatalog({ path: process.argv[2] ?? '', clock: systemClock });
process.send?.({ opened: catalog.incarnationId });
/** Tries again, as a caller does: on a slow disk the other writers may keep the catalog busy for seconds. */
async function untilDone<T>(write: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof HoldfastError) || !error.retryable) throw error;
    }
  }
}

const limit = Number(process.argv[3] ?? Number.POSITIVE_INFINITY);
for (let count = 0; count < limit; count++) {
  const key = await untilDone(() => addKey(catalog, { description: `by ${process.pid}` }));
  await untilDone(() => catalog.createAlias(aliasFor(key, `alias/${key.keyId}`), 50));
  process.send?.({ keyId: key.keyId });
}
await catalog.close();
process.disconnect();
