import { readFile } from 'node:fs/promises';
import { pathProblem } from '../path-problem.js';
import type { Configuration } from '../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** The descriptors that tokens, catalog, audit log, metrics and Node itself need. */
const reservedDescriptors = 256;

/** The descriptors of all listeners' connections and the reserve. `maximumConnections` applies to each listener. */
function neededDescriptors({ listeners, limits }: Configuration): number {
  return listeners.length * limits.maximumConnections + reservedDescriptors;
}

/** File descriptors for as many connections as the configuration allows (RLIMIT_NOFILE, proc(5)). */
export async function checkDescriptors(
  { configuration }: Surroundings,
  limitsFile = '/proc/self/limits',
): Promise<Finding[]> {
  const subject = 'file descriptors';
  let limitsText: string;
  try {
    limitsText = await readFile(limitsFile, 'utf8');
  } catch (error) {
    const { reason } = pathProblem(error, 'read');
    return [warn(subject, `the limit is unknown: ${limitsFile} ${reason}`, 'mount /proc (proc(5))')];
  }
  const text = /^Max open files +(\d+)/m.exec(limitsText)?.[1];
  // /proc says `unlimited`.
  if (text === undefined) return [ok(subject, 'without a limit')];
  const needed = neededDescriptors(configuration);
  if (Number(text) >= needed) return [ok(subject, `limit ${text}; ${needed} are enough`)];
  const { listeners, limits } = configuration;
  const message = `limit ${text}; ${listeners.length} listeners with ${limits.maximumConnections} connections each need ${needed}`;
  return [
    fail(
      subject,
      message,
      'raise LimitNOFILE of the unit (doctor sees the limit of its own shell: ulimit -n), or lower limits.maximumConnections',
    ),
  ];
}
