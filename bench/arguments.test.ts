import { expect, test } from 'vitest';
import { parseBenchArguments, UsageError, usage } from './arguments.js';

test('without options a full run is stored', () => {
  expect(parseBenchArguments([])).toEqual({
    help: false,
    json: false,
    quick: false,
    smoke: false,
    store: true,
    build: true,
    rounds: 3,
    seconds: undefined,
    lanes: 1,
    note: undefined,
  });
});

test.each([
  [['--quick'], { quick: true, store: false, rounds: 2 }],
  [['--quick', '--store'], { quick: true, store: true }],
  [['--smoke', '--json'], { smoke: true, json: true, store: false }],
  [['--no-store'], { store: false }],
  [['--json', '--no-build'], { json: true, build: false }],
  [['--rounds', '5', '--seconds', '0.5', '--lanes=4'], { rounds: 5, seconds: 0.5, lanes: 4 }],
  [['--note', 'shared machine'], { note: 'shared machine' }],
])('%j', (parameters, expected) => {
  expect(parseBenchArguments(parameters)).toMatchObject(expected);
});

test.each([
  ['--fast'],
  ['now'],
  ['--rounds', '0'],
  ['--rounds', '1.5'],
  ['--seconds', 'x'],
  ['--lanes', ''],
  ['--note'],
])('%s %s is refused', (...parameters) => {
  expect(() => parseBenchArguments(parameters.filter((parameter) => typeof parameter === 'string'))).toThrow(
    UsageError,
  );
});

test('the help names every option', () => {
  for (const option of [
    'json',
    'quick',
    'smoke',
    'store',
    'no-store',
    'no-build',
    'rounds',
    'seconds',
    'lanes',
    'note',
    'help',
  ]) {
    expect(usage).toContain(`--${option} `);
  }
});
