import { CliError, exitCodes } from '../exit-codes.js';
import {
  generationState,
  highestGeneration,
  isComplete,
  maximumGeneration,
  type MemberMarks,
  nextGenerations,
} from './generations.js';

/**
 * The generations that a command tries, in order: the next one only if members lack keys of the one before, which is
 * found out without changing anything.
 */
export type GenerationNumbers = readonly [number, ...number[]];

/** `init`: the first generation. @throws CliError if there is a later one */
export function firstGeneration(members: readonly MemberMarks[]): GenerationNumbers {
  const highest = highestGeneration(members);
  if (highest <= 1) return [1];
  throw refused(
    `the cluster has generation ${highest} already`,
    'holdfast cluster rotate-wrapping-key makes a new one',
  );
}

/**
 * `add-member`: the next generation, for the member that has none. If all members have the newest one, an earlier run
 * was broken off after its last step: its generation is checked and recorded.
 */
export function generationForNewMember(members: readonly MemberMarks[]): GenerationNumbers {
  const newest = generationState(members, requireAny(members));
  return isComplete(newest) ? [newest.number] : following(members);
}

/** `rotate-wrapping-key`: the next generation, after one that is unfinished. */
export function generationAfter(members: readonly MemberMarks[]): GenerationNumbers {
  requireAny(members);
  return following(members);
}

/**
 * `remove-member`: always a new one. The removed member may have the keys of an unfinished generation.
 */
export function generationWithout(members: readonly MemberMarks[]): GenerationNumbers {
  return [withinRange(requireAny(members) + 1)];
}

function following(members: readonly MemberMarks[]): GenerationNumbers {
  const { finish, make } = nextGenerations(members);
  return finish === undefined ? [withinRange(make)] : [finish, withinRange(make)];
}

function requireAny(members: readonly MemberMarks[]): number {
  const highest = highestGeneration(members);
  if (highest > 0) return highest;
  throw refused('the cluster has no generation yet', 'holdfast cluster init makes the first one');
}

/** Anyone who reaches a token can plant a mark of any number. */
function withinRange(number: number): number {
  if (number <= maximumGeneration) return number;
  throw refused(
    `there is a mark of generation ${maximumGeneration}, and no higher number`,
    'somebody planted it: destroy that object with the vendor’s tool',
  );
}

function refused(message: string, hint: string): CliError {
  return new CliError(exitCodes.checkFailed, 'GENERATION', message, { hint });
}
