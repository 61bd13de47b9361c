import { expect, test } from 'vitest';
import { UsageError } from './arguments.js';
import { compareUsage, parseCompareArguments } from './compare-arguments.js';

test('two commits are compared in ten rounds', () => {
  expect(parseCompareArguments(['main~1', 'main'])).toEqual({
    help: false,
    json: false,
    build: true,
    rounds: 10,
    seconds: 2,
    warmUpRequests: 10_000,
    lanes: 1,
    cheapToken: false,
    commits: ['main~1', 'main'],
  });
  expect(parseCompareArguments(['a', 'b', '--quick', '--json'])).toMatchObject({ json: true, rounds: 3, seconds: 0.4 });
  expect(parseCompareArguments(['a', '--quick', 'b', '--rounds=12'])).toMatchObject({
    rounds: 12,
    commits: ['a', 'b'],
  });
  expect(parseCompareArguments(['--help'])).toMatchObject({ help: true });
});

test.each([[[]], [['a']], [['a', 'b', 'c']], [['a', 'b', '--rounds', '0']], [['a', 'b', '--store']]])(
  '%j is refused',
  (parameters) => {
    expect(() => parseCompareArguments(parameters)).toThrow(UsageError);
  },
);

test('the help names every option', () => {
  for (const option of ['rounds', 'quick', 'seconds', 'lanes', 'cheap-token', 'json', 'no-build', 'help']) {
    expect(compareUsage).toContain(`--${option} `);
  }
});
