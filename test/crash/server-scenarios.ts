/** The acts of servers that are killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Message } from '../e2e/client.js';
import { commandLine } from '../e2e/deployment.js';
import type { KeptDeployment } from './kept-deployment.js';
import type { ServerScenarioOptions, ServingProcess } from './server-scenario.js';

const jobProgram = fileURLToPath(new URL('job-process.mjs', import.meta.url));

/** A caller's CreateKey. */
const createKey: ServerScenarioOptions = {
  name: 'create-key',
  async act({ wrapped }, client) {
    const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
    wrapped.accounting.acknowledged.add(created['key_id'] as string);
  },
};

/** A member that has lost its keys gets them back. */
const repair: ServerScenarioOptions = {
  name: 'repair',
  async act({ wrapped }, client) {
    wrapped.emptyMember(2);
    await client.call('ReconcileCluster', { cluster_id: wrapped.deployment.defaultCluster.clusterId });
  },
};

/** A key whose waiting period is over. */
const deletion: ServerScenarioOptions = {
  name: 'deletion',
  prepare(deployment) {
    const due = "update keys set state = 'PendingDeletion', deletion_date = ? where key_id = ?";
    deployment.change(due, Date.now() - 60_000, deployment.encrypted[0]?.keyId);
  },
  spawn: spawnForJob,
  act: (_, _client, child) => run('keyDeletion', child),
};

/** The witness of each member is replaced. */
const witness: ServerScenarioOptions = {
  name: 'witness',
  prepare(deployment) {
    // As if the catalog had changed.
    deployment.change('update catalog_epoch set change_mark = -1, raised_date = 0');
  },
  spawn: spawnForJob,
  act: (_, _client, child) => run('witnesses', child),
};

/** Resolves when a round of the job has ended, or the process has. */
async function run(job: 'keyDeletion' | 'witnesses', child: ChildProcess): Promise<void> {
  const over = once(child, 'message');
  child.send(job);
  await Promise.race([over, once(child, 'exit')]);
}

async function spawnForJob({ wrapped: { deployment } }: KeptDeployment): Promise<ServingProcess> {
  const given = [jobProgram, dirname(dirname(commandLine)), deployment.configurationPath];
  const child = spawn(process.execPath, given, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [port] = (await once(child, 'message')) as [number];
  return { child, client: () => deployment.client(port, 'operator') };
}

export const serverScenarios: readonly ServerScenarioOptions[] = [createKey, repair, deletion, witness];
