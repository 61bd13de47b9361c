import { expect, test } from 'vitest';
import { oneAtATime } from './inventory-check.js';

/** Checks that end on the test's command. */
function heldChecks() {
  const begun: { clusterId: string; end: () => void }[] = [];
  const check = oneAtATime(
    (clusterId) =>
      new Promise((resolve) => {
        begun.push({ clusterId, end: resolve });
      }),
  );
  return { check, begun };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('members that return during a check share the next one', async () => {
  const { check, begun } = heldChecks();
  const first = check('a');
  const others = [check('a'), check('a'), check('a')];
  await settled();
  expect(begun).toHaveLength(1);
  begun[0]?.end();
  await first;
  await settled();
  expect(begun).toHaveLength(2);
  // The second check runs: it may already have passed a member that returns now.
  const late = check('a');
  begun[1]?.end();
  await Promise.all(others);
  await settled();
  expect(begun).toHaveLength(3);
  begun[2]?.end();
  await late;
  const again = check('a');
  expect(begun).toHaveLength(4);
  begun[3]?.end();
  await again;
});

test('clusters do not wait for each other', () => {
  const { check, begun } = heldChecks();
  void check('a');
  void check('b');
  expect(begun.map(({ clusterId }) => clusterId)).toEqual(['a', 'b']);
});
