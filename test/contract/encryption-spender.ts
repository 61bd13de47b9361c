/**
 * A process that spends encryptions of one material until it is killed, and reports to its parent how many it has
 * spent.
 */
import { systemClock } from '../../src/clock-system.js';
import { EncryptionBudget } from '../../src/keys/encryption-budget.js';
import { openSqliteCatalog } from '../../src/storage/sqlite.js';

const [, , path = '', materialId = ''] = process.argv;
const catalog = await openSqliteCatalog({ path, clock: systemClock });
const fail = (error: unknown): void => {
  throw error;
};
const budget = new EncryptionBudget({
  catalog,
  warningThreshold: Number.POSITIVE_INFINITY,
  onWarning: () => undefined,
  onBackgroundError: fail,
});
for (let spent = 1; ; spent += 1) {
  if (!budget.trySpend(materialId)) await budget.spend(materialId);
  // Reported after spending: the parent never knows of more than were spent.
  if (spent % 10_000 === 0) await new Promise((resolve) => process.send?.({ spent }, resolve));
}
