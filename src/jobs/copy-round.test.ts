import { expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { CopyRound, type CopyRoundTools, searchesPerList } from './copy-round.js';

const hourMs = 3_600_000;
const signal = new AbortController().signal;

/** A round that copies materials of these ages, in milliseconds, to a member that lists none of them. */
async function copiesOf(
  agesMs: number[],
  change: (clock: ManualClock) => Partial<CopyRoundTools> = () => ({}),
  hasThem = false,
) {
  const clock = new ManualClock();
  const copies: { isAbsent: boolean; deadlineMs: number }[] = [];
  const now = clock.now().getTime();
  const catalog = {
    findMaterial: (id: string) => Promise.resolve({ creationDate: new Date(now - (agesMs[Number(id)] ?? 0)) }),
    isMaterialKept: () => Promise.resolve(true),
  };
  const cluster = {
    perform(operation: string, request: { isAbsent: boolean }, { deadlineMs }: { deadlineMs: number }) {
      if (operation === 'listMaterialIds') return Promise.resolve([{ memberName: 'a', materialIds: [] }]);
      copies.push({ isAbsent: request.isAbsent, deadlineMs: deadlineMs - clock.monotonicMs() });
      return Promise.resolve({ copied: !hasThem });
    },
  };
  const tools = {
    core: { catalog, clock, onBackgroundError: expect.unreachable },
    audit: { perform: (_: unknown, work: () => Promise<unknown>) => work() },
    ...{ cluster, signal, held: { confirm: () => Promise.resolve() }, pace: { turn: () => Promise.resolve() } },
    ...{ callTimeoutMs: 30_000, settledAfterMs: 60_000 },
    ...change(clock),
  } as unknown as CopyRoundTools;
  await new CopyRound(tools, 'a').copy(Object.keys(agesMs), () => undefined);
  return copies;
}

/** The process is stopped for so long before the lease is confirmed. */
const confirmedAfter = (stoppedMs: number) => (clock: ManualClock) => {
  const confirm = (): Promise<void> => {
    clock.advance(stoppedMs);
    return Promise.resolve();
  };
  return { held: { confirm } as unknown as CopyRoundTools['held'] };
};

/** Which of the materials count as absent for certain, once the list has been compared with as many searches as it must. */
async function absentAfterSearches(agesMs: number[], change?: Parameters<typeof copiesOf>[1], hasThem?: boolean) {
  const searched = Array.from({ length: searchesPerList }, () => hourMs);
  const copies = await copiesOf([...searched, ...agesMs], change, hasThem);
  expect(copies.slice(0, searchesPerList).map(({ isAbsent }) => isAbsent)).toEqual(searched.map(() => false));
  return copies.slice(searchesPerList).map(({ isAbsent }) => isAbsent);
}

test('a list that lacks a key that a search found is not believed', async () => {
  expect(await absentAfterSearches([hourMs, hourMs], undefined, false)).toEqual([true, true]);
  expect(await absentAfterSearches([hourMs, hourMs], undefined, true)).toEqual([false, false]);
});

test('only a key that was settled when the member was listed is absent for certain, whatever the clock does', async () => {
  const absent = await absentAfterSearches([59_000, -hourMs, hourMs]);
  expect(absent, 'the second is too new, the third was made before the clock was set back').toEqual([false, true]);
  const later = await absentAfterSearches([hourMs, 59_000, hourMs], confirmedAfter(2_000));
  expect(later, 'listed while the second was too new').toEqual([true, false, true]);
});

test('no copy goes on after the lease, which was confirmed after its time began', async () => {
  const [copy] = await copiesOf([hourMs], confirmedAfter(29_000));
  expect(copy?.deadlineMs).toBe(1_000);
});
