/** A process that ends while an officer's login hangs; argv[2] is its job: { addon, member, officerPin }. */
import { createRequire } from 'node:module';

const job = JSON.parse(process.argv[2] ?? '{}');
const addon = createRequire(import.meta.url)(job.addon);
const ceremony = await addon.openCeremony('cluster-ends', 1, [job.member], true);
ceremony.logIn(0, new TextEncoder().encode(job.officerPin)).catch(() => undefined);
// By then the call is inside the module.
setTimeout(() => process.exit(7), 500);
