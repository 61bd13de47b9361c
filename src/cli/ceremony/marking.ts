/** The pause of `user-made-then-marked`: an officer marks the keys as trusted with the vendor's own tool. */
import type { NativeCarriedKeys } from '../../hsm/native-ceremony.js';
import type { VendorProfile } from '../../hsm/profiles/profile.js';
import { CliError, exitCodes, usageError } from '../exit-codes.js';
import type { Terminal } from '../terminal.js';
import { askLine } from '../typed-line.js';
import { grouped, ungrouped } from './fingerprint-text.js';
import type { OperatorSteps } from '../operator-steps.js';
import type { SurveyedMember } from './survey.js';

/** The treatment of keys that an earlier run left for an officer to mark. */
export interface MarkingOptions {
  /** The digest that the earlier run showed. */
  resume?: string;
  /** Destroy them and make others. */
  anew?: true;
}

interface Pausing {
  readonly terminal: Terminal;
  readonly steps: OperatorSteps;
  readonly members: readonly SurveyedMember[];
  readonly generation: number;
  readonly marking: MarkingOptions;
}

/** @throws CliError for a digest that is none, or two ways at once */
export function requireOneWay({ resume, anew }: MarkingOptions): void {
  if (resume === undefined) return;
  if (anew === true) throw usageError('--resume and --anew exclude each other');
  if (ungrouped(resume) === undefined)
    throw usageError('--resume takes the digest that the earlier run showed: 64 hex digits');
}

/** @throws CliError if there was an earlier run, and its keys are no longer on all members */
export function requireNothingToResume({ resume }: MarkingOptions): void {
  if (resume === undefined) return;
  throw new CliError(
    exitCodes.checkFailed,
    'UNKNOWN_KEYS',
    'the keys that --resume names are not on all members any more',
    { hint: 'somebody destroyed or replaced them; without --resume others are made' },
  );
}

/**
 * Makes sure that keys which were there before this run are those of an earlier run: whoever has the user PIN can plant
 * others, whose values they know.
 * @throws CliError if they are not, or nobody can say
 */
export async function confirmEarlierKeys({ terminal, steps, marking }: Pausing, digest: Uint8Array): Promise<void> {
  const found = Buffer.from(digest).toString('hex');
  if (marking.anew === true) throw unknownKeys('the generation has a mark, so its keys are not destroyed', markedHint);
  await steps.say('keys-wait', `An earlier run left these keys: digest ${grouped(found)}`, { digest: found });
  if (marking.resume !== undefined) {
    if (ungrouped(marking.resume) === found) return;
    throw unknownKeys(`the keys on the members are not those that --resume names: digest ${found}`);
  }
  if (terminal.stdin.isTTY !== true)
    throw unknownKeys('there are keys that a user has made, and nobody says whose they are');
  const answer = await askLine(terminal, 'Is it the digest that the earlier run showed? Type yes: ');
  if (answer !== 'yes') throw unknownKeys('the digest was not confirmed');
}

/**
 * Says which keys an officer must mark, and waits for it.
 * @throws CliError with an exit code of its own if there is no terminal to wait at
 */
export async function waitForOfficer(pausing: Pausing, { digest, unmarked }: NativeCarriedKeys): Promise<void> {
  const { terminal, steps, members, generation } = pausing;
  const text = Buffer.from(digest).toString('hex');
  const keys = unmarked.map(({ member, serialNumber, label, id }) => ({
    ...{ member, label, serial_number: serialNumber },
    id: Buffer.from(id).toString('hex'),
  }));
  const sentence = `generation ${generation}: an officer must now mark ${keys.length} keys as trusted (CKA_TRUSTED). Digest ${grouped(text)}`;
  await steps.say('marking', sentence, { generation, digest: text, keys });
  for (const { member, serial_number: serial, label, id } of keys)
    await steps.say('mark-key', `  member ${member}, ${serial}: ${label} (CKA_ID ${id})`, { member, label, id });
  for (const { name, profile } of members.filter(({ name }) => keys.some(({ member }) => member === name)))
    await steps.say('mark-hint', `  member ${name}: ${markingHint(profile)}`, { member: name });
  if (terminal.stdin.isTTY !== true)
    throw new CliError(exitCodes.waiting, 'MARKING', `${keys.length} keys wait for an officer to mark them`, {
      hint: `when they are marked, run the command again with --resume ${text}`,
    });
  await askLine(terminal, 'Press Enter when they are marked: ');
}

/** The vendor's way to mark a key. */
function markingHint({ name, title }: VendorProfile): string {
  if (name !== 'cloudhsm') return `with the officer's tool of ${title}, set CKA_TRUSTED of these keys to true`;
  return 'in CloudHSM CLI, as admin: key set-attribute --filter attr.label=LABEL --name trusted --value true';
}

const markedHint = 'nothing was changed: holdfast cluster rotate-wrapping-key --anew makes the next generation';

function unknownKeys(
  message: string,
  hint = 'nothing was changed: --resume DIGEST goes on with them, --anew makes others',
): CliError {
  return new CliError(exitCodes.checkFailed, 'UNKNOWN_KEYS', message, { hint });
}

/** Whether keys that have a mark are left alone, because the operator wants others. */
export function isGivenUp(error: unknown, { anew }: MarkingOptions): boolean {
  return anew === true && error instanceof CliError && error.code === 'UNKNOWN_KEYS';
}
