import { HoldfastError } from '../errors.js';
import { isNativeFailure } from '../hsm/failure.js';
import { MemberOpenError } from '../hsm/member-open-error.js';

/** Messages of the system and of modules are not ours, and may be long. */
const maxTextLength = 160;
/** Enough causes if every attempt of one request failed in a different way. */
const maxCauses = 4;
/** Enough frames to find the place. */
const maxFrames = 3;

/** The fields of an error in the log. */
export interface LoggedError {
  /** The class, or the name. */
  type: string;
  message: string;
  /** One of our error codes, or one of the system such as `ENOSPC`. */
  code?: string;
  /** The PKCS#11 function that answered, and its CK_RV in hex. */
  functionName?: string;
  returnValue?: string;
  /** Messages of the causes, the nearest first, without repetitions. */
  causes?: string[];
  /** Only for an unexpected error: expected ones say what happened, and the place does not matter. */
  stack?: string[];
}

/**
 * The part of an error that the log shows: a closed list of short fields. An error may carry whatever helps the code
 * that catches it, e.g. a token with its 300 mechanisms; none of that belongs in a line that an operator reads in an
 * emergency.
 */
export function logError(thrown: unknown): LoggedError {
  const chain = chainOf(thrown);
  const [first = thrown] = chain;
  const message = messageOf(first);
  const causes = newMessages(message, chain.slice(1).map(messageOf)).slice(0, maxCauses);
  const failure = chain.find(isNativeFailure);
  const unforeseen = chain.findLast((error): error is Error => error instanceof Error && !isForeseen(error));
  const code = chain.map(codeOf).find((found) => found !== undefined);
  return {
    type: first instanceof Error ? first.name : typeof first,
    message,
    ...(code === undefined ? {} : { code }),
    ...(failure === undefined || failure.kind !== 'rv'
      ? {}
      : { functionName: failure.functionName, returnValue: `0x${failure.rv.toString(16)}` }),
    ...(causes.length === 0 ? {} : { causes }),
    ...(unforeseen?.stack === undefined ? {} : { stack: framesOf(unforeseen.stack) }),
  };
}

/** The error and its causes. A circular chain is cut. */
function chainOf(thrown: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let error = thrown; error !== undefined && error !== null && !chain.includes(error); ) {
    chain.push(error);
    error = error instanceof Error ? error.cause : undefined;
  }
  return chain;
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}…`;
}

/** The messages that add something to those before them. */
function newMessages(message: string, causes: readonly string[]): string[] {
  const said = [message];
  const added: string[] = [];
  for (const cause of causes) {
    if (cause === '' || said.some((text) => text.includes(cause))) continue;
    said.push(cause);
    added.push(cause);
  }
  return added;
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof MemberOpenError) return error.errorCode;
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Our errors say what happened; those of the system name the call. */
function isForeseen(error: Error): boolean {
  if (error instanceof HoldfastError || error instanceof MemberOpenError || isNativeFailure(error)) return true;
  return 'syscall' in error;
}

/** The first line of a stack repeats the message. Paths begin at our own folder. */
function framesOf(stack: string): string[] {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, maxFrames).map((line) =>
    line
      .trim()
      .replace(/(file:\/\/)?\/\S*?\/(?=(src|dist|test|node_modules)\/)/, '')
      .slice(0, maxTextLength),
  );
}
