/** A process that makes keys in a catalog until it is killed, and reports each acknowledged one to its parent. */
import { systemClock } from '../../src/clock-system.js';
import { openTestCatalog } from '../catalog-file.js';
import { addKey, aliasFor } from './catalog-records.js';

const catalog = await openTestCatalog({ path: process.argv[2] ?? '', clock: systemClock });
process.send?.({ opened: catalog.incarnationId });
const limit = Number(process.argv[3] ?? Number.POSITIVE_INFINITY);
for (let count = 0; count < limit; count++) {
  const key = await addKey(catalog, { description: `by ${process.pid}` });
  await catalog.createAlias(aliasFor(key, `alias/${key.keyId}`), 50);
  process.send?.({ keyId: key.keyId });
}
await catalog.close();
process.disconnect();
