/** The acts of servers that are killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { commandLine, eventually } from '../e2e/deployment.js';
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

/** An archive in the folder of the service. */
const backup: ServerScenarioOptions = {
  name: 'backup',
  writes: true,
  async act(_, client) {
    const { backup_id: backupId } = await client.call('CreateBackup');
    await backupEnded(client, backupId as string);
  },
  check: backupProblems,
};

/** Resolves with what the service says of it. @throws if it does not end within a minute */
async function backupEnded(client: HoldfastClient, backupId: string): Promise<Message> {
  return eventually(async () => {
    const { backups } = await client.call('DescribeBackups', { backup_id: backupId });
    const [{ state, work, ...rest }] = backups as [Message];
    if (state === 'BACKUP_STATE_RUNNING' || work !== undefined) throw new Error('It is under way.');
    return { state, ...rest };
  }, 20);
}

/** A whole archive is a recorded one, and proves itself; what is none leaves nothing; and the next backup is made. */
async function backupProblems({ wrapped: { deployment } }: KeptDeployment, client: HoldfastClient): Promise<string[]> {
  const { backup_id: next } = await client.call('CreateBackup');
  const made = await backupEnded(client, next as string);
  const { backups } = await client.call('DescribeBackups');
  const recorded = backups as Message[];
  const problems = made['state'] === 'BACKUP_STATE_COMPLETE' ? [] : [`the next backup is ${JSON.stringify(made)}`];
  const whole = recorded.filter(({ state }) => state === 'BACKUP_STATE_COMPLETE');
  for (const { backup_id: backupId } of whole) {
    await client.call('VerifyBackup', { backup_id: backupId });
    const { verification } = await backupEnded(client, backupId as string);
    if (verification !== 'BACKUP_VERIFICATION_PASSED') problems.push(`verification: ${String(verification)}`);
  }
  const files = readdirSync(deployment.backupFolder).sort();
  const present = recorded.filter(
    ({ size_bytes: size, removed_time: removed }) => size !== undefined && removed === undefined,
  );
  const names = present.map(({ file_name: name }) => String(name)).sort();
  if (files.join() !== names.join()) problems.push(`the folder has ${files.join()}, the catalog ${names.join()}`);
  return problems;
}

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

export const serverScenarios: readonly ServerScenarioOptions[] = [createKey, repair, deletion, witness, backup];
