import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Reconciliation } from '../../faces/grpc/gen/holdfast/admin/v1/cluster_service.js';
import { withClient } from '../client-action.js';
import type { KmsClient } from '../client.js';
import { clusterLines, reconciliationLines } from '../cluster-lines.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import { toProtoJson } from '../proto-json.js';
import { addRotatePinOfCluster } from './rotate-pin.js';
import { type Terminal, writeJson, writeLines } from '../terminal.js';

const pollIntervalMs = 500;

/** The subcommands of `holdfast cluster` that ask a running server. */
export function addClusterServiceCommands(cluster: Command, terminal: Terminal): void {
  addDescribe(cluster, terminal);
  addDrain(cluster, terminal);
  addResume(cluster, terminal);
  addReconcile(cluster, terminal);
  addRotatePinOfCluster(cluster, terminal);
}

function addDescribe(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('describe [cluster-id]')
    .description('show the members of one cluster or all: state, token, keys, load, last reconciliation')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast cluster describe\n  holdfast cluster describe --output json | jq .clusters[0].members',
    );
  addConnectionOptions(command).action(
    withClient<object, [string?]>(terminal, async ({ client, options }, clusterId) => {
      const response = await client.call('describeClusters', { clusterId });
      if (options.output === 'json') return writeJson(terminal.stdout, toProtoJson(response));
      return writeLines(terminal.stdout, clusterLines(response.clusters));
    }),
  );
}

function addDrain(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('drain <cluster-id> <member>')
    .description('take a member out of service for maintenance; returns when it has no work and no sessions')
    .option('--force', 'even if no other member takes work: calls fail until it is back')
    .addHelpText(
      'after',
      '\nExample:\n  holdfast cluster drain cluster-a2b3c4d5e6f hsm-2 && update-firmware && holdfast cluster resume cluster-a2b3c4d5e6f hsm-2',
    );
  addConnectionOptions(command).action(
    withClient<{ force?: boolean }, [string, string]>(terminal, async ({ client, options }, clusterId, memberName) => {
      await client.call('drainMember', { clusterId, memberName, force: options.force });
      const next = `holdfast cluster resume ${clusterId} ${memberName} brings it back`;
      await printDone(terminal, options.output, `${memberName} is out of service; ${next}`);
    }),
  );
}

function addResume(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('resume <cluster-id> <member>')
    .description('end the maintenance of a member: it is opened, gets the keys that it lacks, and takes work')
    .addHelpText('after', '\nExample:\n  holdfast cluster resume cluster-a2b3c4d5e6f hsm-2');
  addConnectionOptions(command).action(
    withClient<object, [string, string]>(terminal, async ({ client, options }, clusterId, memberName) => {
      await client.call('resumeMember', { clusterId, memberName });
      const next = `holdfast cluster describe ${clusterId} shows the progress`;
      await printDone(terminal, options.output, `${memberName} is being opened; ${next}`);
    }),
  );
}

function addReconcile(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('reconcile <cluster-id>')
    .description(
      'compare the keys of all members with the catalog, and copy what is missing; waits for at most --timeout',
    )
    .option('--dry-run', 'only compare')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast cluster reconcile cluster-a2b3c4d5e6f --dry-run\n  holdfast cluster reconcile cluster-a2b3c4d5e6f --timeout 3600\n\nIt goes on in the server if this command is interrupted. Exit code 5: it failed, or keys could not be copied.',
    );
  addConnectionOptions(command).action(
    withClient<{ dryRun?: boolean }, [string]>(terminal, async ({ client, options }, clusterId) => {
      await client.call('reconcileCluster', { clusterId, dryRun: options.dryRun });
      const done = await awaitEnd(client, terminal, clusterId);
      if (options.output === 'json') await writeJson(terminal.stdout, toProtoJson(done));
      else
        await writeLines(
          terminal.stdout,
          reconciliationLines(done).map((line) => line.trimStart()),
        );
      const failed = done.members.some(({ failed: count = 0 }) => count > 0);
      if (done.failure === undefined && !failed) return;
      throw new CliError(
        exitCodes.checkFailed,
        'NOT_RECONCILED',
        done.failure ?? 'some keys could not be copied; they are tried again',
      );
    }),
  );
}

async function reconciliationOf(client: KmsClient, clusterId: string): Promise<Reconciliation | undefined> {
  const { clusters } = await client.call('describeClusters', { clusterId });
  return clusters[0]?.reconciliation;
}

/** Shows the progress on stderr, if that is a terminal. */
async function awaitEnd(client: KmsClient, terminal: Terminal, clusterId: string): Promise<Reconciliation> {
  for (;;) {
    const seen = await reconciliationOf(client, clusterId);
    // The server shows the comparison that was just begun as long as it is under way.
    if (seen?.endTime !== undefined) return seen;
    for (const { name, copied = 0, missing = 0 } of seen?.members ?? [])
      if (terminal.stderr.isTTY) terminal.stderr.write(`${name}: ${copied} of ${missing} copied\n`);
    if (client.remainingMs <= pollIntervalMs)
      throw new CliError(
        exitCodes.unreachable,
        'TIMEOUT',
        'it is still under way; holdfast cluster describe shows the progress',
      );
    await pause(pollIntervalMs);
  }
}
