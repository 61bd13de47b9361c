import type { Command } from 'commander';
import { Option } from 'commander';
import type { VerifyRecordOptions } from '../ceremony/verify-record.js';
import type { Terminal } from '../terminal.js';
import { addCeremonyCommands } from './cluster-ceremony.js';
import { addClusterServiceCommands } from './cluster-service.js';

const verifyExamples = `
Examples:
  holdfast cluster verify-record hsm-a-generation-1-20261201T050000Z.json
  holdfast cluster verify-record record.json --public-key ceremony.pub.pem

Without --public-key the signature shows only that the record is whole: compare the fingerprint that is printed with the
one that was noted at the ceremony. Exit code 5: the record was changed, is signed by another key, or says that attacks
succeeded.`;

/** `holdfast cluster …`. */
export function addClusterCommands(program: Command, terminal: Terminal): void {
  const cluster = program.command('cluster').description('HSM clusters: ceremonies, members, maintenance, repair');
  addCeremonyCommands(cluster, terminal);
  addClusterServiceCommands(cluster, terminal);
  addVerifyRecord(cluster, terminal);
}

function addVerifyRecord(cluster: Command, terminal: Terminal): void {
  cluster
    .command('verify-record <file>')
    .description('check the signature of a ceremony record, and say what it claims')
    .option('--public-key <file>', 'the key that must have signed it: Ed25519, in PEM')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText('after', verifyExamples)
    .action(async (file: string, options: VerifyRecordOptions) => {
      const { verifyRecord } = await import('../ceremony/verify-record.js');
      await verifyRecord(terminal, file, options);
    });
}
