import type { Command } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { DrillOptions, DrillResult } from '../restore/drill-backup.js';
import type { Terminal } from '../terminal.js';
import { asJson, withOptions } from './backup-restore.js';

const examples = `
Examples:
  holdfast backup drill newest.backup --config drill.yaml --recovery-member vault=vault.pin
  holdfast backup drill newest.backup --config drill.yaml --ciphertexts sample.jsonl --output json > drill-2026-11.json

drill.yaml is the service's configuration with scratch tokens as members, and another path for the catalog and the audit log. The
tokens have the cluster's wrapping keys and no key of the archive; nothing else is touched, and what the drill made is destroyed
afterwards. docs/operating/disaster-recovery.md shows how to make them.

Each line of the sample is {"ciphertext": BASE64, "encryption_context": {…}}.

Exit code 5: keys are missing, a ciphertext was not decrypted, or the tokens are not scratch.`;

/** `holdfast backup drill`. */
export function addDrillCommand(backup: Command, terminal: Terminal): void {
  withOptions(backup.command('drill <archive>'))
    .description('restore an archive into scratch tokens, decrypt a sample, and take the time')
    .option('--ciphertexts <file>', 'ciphertexts of callers to decrypt, one JSON object a line')
    .option('--keep', 'leave the restored catalog and keys where they are')
    .addHelpText('after', examples)
    .action(async (file: string, options: DrillOptions) => {
      const { drillBackup } = await import('../restore/drill-backup.js');
      const result = await drillBackup(terminal, file, options);
      await printDone(terminal, options.output, sentences(file, result), drillAsJson(result));
      requireRecovered(result);
    });
}

function sentences(file: string, { restored, samples, kept, ...times }: DrillResult): string[] {
  const keys = restored.members.reduce((sum, { restored: count }) => sum + count, 0);
  return [
    `Drill of ${times.startedDate.toISOString()}: ${file}, archive ${restored.archiveId} of ${restored.createdDate}`,
    `recovery time (RTO): ${seconds(times.recoveryTimeMs)} s for ${restored.proved} keys, ${keys} copies on ${restored.members.length} members`,
    `recovery point (RPO): ${seconds(times.recoveryPointMs)} s, the age of the archive`,
    `ciphertexts: ${samples.decrypted} of ${samples.given} decrypted`,
    ...samples.failures.map(({ line, message }) => `line ${line} of the sample: ${message}`),
    kept ? 'the catalog and the keys were left where they are' : 'the catalog and the keys of the drill were destroyed',
  ];
}

function drillAsJson({ restored, samples, kept, ...times }: DrillResult): object {
  return {
    started_date: times.startedDate.toISOString(),
    finished_date: times.finishedDate.toISOString(),
    recovery_time_seconds: Number(seconds(times.recoveryTimeMs)),
    recovery_point_seconds: Number(seconds(times.recoveryPointMs)),
    samples,
    kept,
    restore: asJson(restored),
  };
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(1);
}

function requireRecovered({ restored, samples }: DrillResult): void {
  const isMissing = restored.members.some(({ missing }) => missing > 0) || restored.unproved.length > 0;
  if (!isMissing && samples.failures.length === 0) return;
  const message = 'the drill did not bring everything back';
  throw new CliError(exitCodes.checkFailed, 'DRILL_FAILED', message);
}
