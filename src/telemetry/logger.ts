import type { DestinationStream, LevelWithSilent, Logger } from 'pino';
import { pino, stdTimeFunctions } from 'pino';

/**
 * Names whose values are secrets wherever they stand. The second line of defence: secrets are `Secret`s, which print as
 * `[secret]`, and nobody logs a request's body.
 */
const secretNames = [
  'pin',
  'password',
  'keyStorePassword',
  'key_store_password',
  'plaintext',
  'secret',
  'sealingKey',
  'privateKey',
  'rawSecretAccessKey',
  'raw_secret_access_key',
  'authorization',
];

/** Two levels deep: what a log line of ours has, and what an error of ours carries. */
const redactedPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** The log: one line of JSON each, to stderr unless `destination` is given. Flush it before the process ends by force. */
export function createLogger(
  level: LevelWithSilent,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[secret]' },
    },
    destination,
  );
}
