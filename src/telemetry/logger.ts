import type { DestinationStream, LevelWithSilent, Logger } from 'pino';
import { pino, stdTimeFunctions } from 'pino';
import { printable } from '../printable.js';
import { logError } from './log-error.js';

/**
 * Names whose values are secrets at any place. This is the second line of defence: secrets are `Secret`s, which print
 * as `[secret]`, and request bodies are never logged.
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

/** Paths two levels deep reach the fields of our log lines and those of our errors. */
const redactedPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** The receiver of lines; one that buffers has `flush`. */
type LogDestination = DestinationStream & { flush?: (done?: () => void) => void };

/** The copies that are made of each logger's lines. */
const lineCopies = new WeakMap<Logger, Set<(line: string) => void>>();

/**
 * Passes every further line of `logger`, one of `createLogger`, to `receive` too. Returns a function that ends that.
 */
export function copyLines(logger: Logger, receive: (line: string) => void): () => void {
  const copies = lineCopies.get(logger);
  if (copies === undefined) throw new Error('This logger was not made by createLogger.');
  copies.add(receive);
  return () => copies.delete(receive);
}

/**
 * The log: one line of JSON each, to stderr unless `destination` is given. Flush it before the process is ended by
 * force.
 */
export function createLogger(
  level: LevelWithSilent,
  destination: LogDestination = pino.destination({ dest: 2, sync: true }),
): Logger {
  const copies = new Set<(line: string) => void>();
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: logError },
      redact: { paths: redactedPaths, censor: '[secret]' },
    },
    {
      // Lines contain foreign text too: a terminal that shows the log must not obey it.
      write: (text: string) => {
        const line = `${printable(text.trimEnd())}\n`;
        destination.write(line);
        for (const receive of copies) receive(line);
      },
      ...(destination.flush === undefined ? {} : { flush: (done?: () => void) => destination.flush?.(done) }),
    },
  );
  lineCopies.set(logger, copies);
  return logger;
}
