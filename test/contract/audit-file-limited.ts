/**
 * A process that may write 8 KiB to a file and no more: `setrlimit` makes the kernel accept a part of a write and
 * refuse the rest, like a full disk.
 */
import { execFileSync } from 'node:child_process';
import { systemClock } from '../../src/clock-system.js';
import { openWriter } from '../file-writer.js';
import { openAuditFile } from '../../src/storage/audit-file.js';

// By default the signal ends the process; with a listener the write fails instead.
process.on('SIGXFSZ', () => undefined);
execFileSync('prlimit', ['--fsize=8192', '--pid', String(process.pid)]);

const log = await openAuditFile({ path: process.argv[2] ?? '', clock: systemClock, openWriter });
const ids = Array.from({ length: 60 }, (_, index) => String(index));
const outcomes = await Promise.allSettled(ids.map((requestId) => log.append(record(requestId), { durable: true })));
const withStatus = (status: string): string[] => ids.filter((_, index) => outcomes[index]?.status === status);
process.send?.({ written: withStatus('fulfilled'), refused: withStatus('rejected'), healthy: log.healthy() });
process.disconnect();

function record(requestId: string) {
  return {
    time: '2026-01-01T00:00:00.000Z',
    requestId,
    face: 'grpc' as const,
    operation: 'Encrypt',
    principal: null,
    sourceAddress: 'unix',
    actions: [],
    resources: [],
    outcome: 'success' as const,
    errorCode: null,
    parameters: { padding: 'x'.repeat(100) },
    durationMs: 1,
  };
}
