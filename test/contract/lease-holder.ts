/** A process that carries out its parent's commands about leases, one after the other, and answers each. */
import { systemClock } from '../../src/clock-system.js';
import type { Lease } from '../../src/coordination/leases.js';
import { openTestCatalog } from '../catalog-file.js';
import { scope } from './catalog-records.js';

/** The parent's commands. */
export type Command =
  | { do: 'acquire'; ttlMs: number }
  | { do: 'renew'; ttlMs: number }
  | { do: 'describe'; keyId: string; description: string };

const [path = '', holder = ''] = process.argv.slice(2);
const catalog = await openTestCatalog({ path, clock: systemClock, busyTimeoutMs: 60_000 });
let lease: Lease | undefined;

async function obey(command: Command): Promise<unknown> {
  if (command.do === 'acquire') {
    lease = await catalog.acquireLease('a job', holder, command.ttlMs);
    return lease?.fence ?? null;
  }
  if (lease === undefined) throw new Error('There is no lease.');
  if (command.do === 'renew') return catalog.renewLease(lease, command.ttlMs);
  const { keyId, description } = command;
  return catalog.underLease(lease).changeKeyDescription(scope, keyId, ['Enabled'], description);
}

process.on('message', (command: Command) => {
  obey(command).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: (error as Error).constructor.name, message: (error as Error).message }),
  );
});
process.send?.({ answer: 'ready' });
