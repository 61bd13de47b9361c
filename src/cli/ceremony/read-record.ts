import { readRegularFile, UnreadableFileError } from '../../regular-file.js';
import { CliError, exitCodes, localError } from '../exit-codes.js';
import { canonicalJson } from '../../canonical-json.js';
import { recordSchema, type SignedRecord } from './record.js';

/** A record of 64 members with all their attacks has less than a tenth of this. */
const maximumBytes = 4 * 1024 * 1024;

/** The bytes of a file that a command is given. @throws CliError */
export async function readGivenFile(path: string): Promise<Buffer> {
  try {
    return await readRegularFile(path, { maximumBytes });
  } catch (error) {
    if (error instanceof UnreadableFileError) throw localError(error.message, error, error.remedy);
    throw error;
  }
}

/**
 * Reads a record. The file must be the canonical text itself: of two texts with one meaning, someone made the other.
 * @throws CliError
 */
export async function readRecord(path: string): Promise<SignedRecord> {
  const text = (await readGivenFile(path)).toString('utf8');
  const parsed = recordSchema.safeParse(parsedJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refused(`${path} is no ceremony record: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  if (`${canonicalJson(parsed.data)}\n` !== text) throw refused(`${path} was changed: it is not canonical JSON`);
  return parsed.data;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refused(message: string): CliError {
  return new CliError(exitCodes.checkFailed, 'RECORD', message, {
    hint: 'use the file as the ceremony wrote it; jq shows it without changing it',
  });
}
