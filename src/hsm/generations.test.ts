import { beforeEach, describe, expect, test } from 'vitest';
import { Generations } from './generations.js';
import type { Member } from './member.js';

let marks: Record<string, Record<number, string>>;
let reads: string[];
let behind: string[];
let members: (Member & { epoch: number; isOpen: boolean })[];
let generations: Generations;

beforeEach(() => {
  [marks, reads, behind] = [{}, [], []];
  members = ['a', 'b', 'c'].map(memberNamed);
  const read = ({ place }: Member) => {
    reads.push(place.memberName);
    const of = marks[place.memberName];
    if (of === undefined) return Promise.reject(new Error('the HSM'));
    return Promise.resolve(
      Object.entries(of).map(([number, digest]) => {
        // A capital letter is the digest of a mark that says `trust: unenforced`.
        const enforced = digest === digest.toLowerCase();
        return { number: Number(number), digest: Buffer.from(digest), enforced };
      }),
    );
  };
  const events = {
    generationBehind: ({ memberName }: { memberName: string }, inUse: number) =>
      void behind.push(`${memberName} ${inUse}`),
  };
  generations = new Generations(read, { enforced: true, minimumMembers: 2 }, events);
});

function memberNamed(memberName: string): (typeof members)[number] {
  const fake = { place: { clusterId: 'c', memberName }, epoch: 1, isOpen: true };
  return fake as unknown as (typeof members)[number];
}

const current = (): string[] =>
  members.filter((member) => generations.isCurrent(member)).map(({ place }) => place.memberName);

describe('the generation in use', () => {
  test('is the highest of those that look alike on all members that have them', async () => {
    marks = { a: { 1: 'x', 2: 'y', 3: 'p' }, b: { 1: 'x', 2: 'y', 3: 'q' }, c: { 1: 'x' } };
    await generations.readNew(members);
    expect([generations.inUse, current(), behind]).toEqual([2, ['a', 'b'], ['c 2']]);
    await generations.readAgain(members);
    expect(behind, 'reported once').toEqual(['c 2']);
  });

  test('is the one before until enough members for a new key have the next one', async () => {
    marks = { a: { 1: 'x', 2: 'y' }, b: { 1: 'x' }, c: { 1: 'x' } };
    await generations.readNew(members);
    expect([generations.inUse, current(), behind]).toEqual([1, ['a', 'b', 'c'], []]);
    marks = { a: { 1: 'x', 2: 'y' }, b: { 1: 'x', 2: 'y' }, c: { 1: 'x' } };
    await generations.readAgain(members);
    expect([generations.inUse, current(), behind]).toEqual([2, ['a', 'b'], ['c 2']]);
  });

  test('never becomes an older one: a member that was removed may have its keys', async () => {
    marks = { a: { 1: 'x', 2: 'y' }, b: { 1: 'x', 2: 'y' }, c: { 1: 'x' } };
    await generations.readNew(members);
    Object.assign(members[1] ?? {}, { isOpen: false });
    expect([generations.inUse, current()]).toEqual([2, ['a']]);
    Object.assign(members[0] ?? {}, { isOpen: false });
    expect([generations.inUse, current(), behind], 'c has only the one before').toEqual([2, [], ['c 2']]);
  });

  test('nor if the ones left are enough for a new key, or a mark of the one in use was replaced', async () => {
    marks = { a: { 1: 'x', 2: 'y' }, b: { 1: 'x', 2: 'y' }, c: { 1: 'x' }, d: { 1: 'x' } };
    members.push(memberNamed('d'));
    await generations.readNew(members);
    marks['b'] = { 1: 'x', 2: 'z' };
    await generations.readAgain(members);
    expect([generations.inUse, current()]).toEqual([2, []]);
    for (const member of members.slice(0, 2)) Object.assign(member, { isOpen: false });
    expect([generations.inUse, current()]).toEqual([2, []]);
  });

  test('stays so if one token has a mark of another trust, which only means something if no other contradicts it', async () => {
    marks = { a: { 1: 'x' }, b: { 1: 'x' }, c: { 1: 'X' } };
    await generations.readNew(members);
    expect([generations.inUse, generations.contradiction, behind]).toEqual([1, undefined, ['c 1']]);
    marks = { a: { 1: 'X' }, b: { 1: 'X' }, c: { 1: 'X' } };
    await generations.readAgain(members);
    expect(generations.contradiction?.generation).toBe(1);
  });

  test('is none without a mark', async () => {
    marks = { a: {}, b: {}, c: {} };
    await generations.readNew(members);
    expect([generations.inUse, current(), behind]).toEqual([undefined, [], []]);
  });

  test('is that of the members that are open and can be read', async () => {
    marks = { a: { 1: 'x' }, c: { 1: 'x', 2: 'y' } };
    Object.assign(members[2] ?? {}, { isOpen: false });
    await generations.readNew(members);
    expect([generations.inUse, current(), behind]).toEqual([1, ['a'], ['b 1']]);
  });

  test('is read once in a session epoch, and everywhere if a member shows a new one', async () => {
    marks = { a: { 1: 'x' }, b: { 1: 'x' }, c: { 1: 'x' } };
    await generations.readNew(members);
    await generations.readNew(members);
    expect(reads).toEqual(['a', 'b', 'c']);
    Object.assign(members[1] ?? {}, { epoch: 2 });
    expect(current()).toEqual(['a', 'c']);
    await generations.readNew(members);
    expect([reads.slice(3), current()]).toEqual([['b'], ['a', 'b', 'c']]);
    marks = { a: { 1: 'x', 2: 'y' }, b: { 1: 'x', 2: 'y' }, c: { 1: 'x', 2: 'y' } };
    Object.assign(members[1] ?? {}, { epoch: 3 });
    await generations.readNew(members);
    expect([generations.inUse, current(), behind]).toEqual([2, ['a', 'b', 'c'], []]);
  });
});
