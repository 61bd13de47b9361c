import { expect, test } from 'vitest';
import type { NativeKeyMaker } from '../../hsm/native-ceremony.js';
import type { Terminal } from '../terminal.js';
import { type PinOptions, requireMakerPinSources } from './pins.js';

const missing = (maker: NativeKeyMaker, options: PinOptions, isConfigured: boolean, isTTY?: true): (() => void) => {
  const members = [{ name: 'a', native: { maker } }] as unknown as Parameters<typeof requireMakerPinSources>[1];
  const terminal = { stdin: { isTTY } } as unknown as Terminal;
  return () => requireMakerPinSources(terminal, members, options, isConfigured);
};

test('without a terminal the PIN of whoever makes the keys must come from somewhere', () => {
  const file = new Map([['a', 'pin']]);
  for (const maker of ['user', 'user-then-officer'] as const) {
    expect(missing(maker, { skipUserCheck: true }, false)).toThrow('the user PIN of member a is needed');
    expect(missing(maker, { userPinFile: file }, false)).not.toThrow();
    expect(missing(maker, {}, true)).not.toThrow();
  }
  expect(missing('officer', {}, true)).toThrow('the SO PIN of member a is needed');
  expect(missing('officer', { soPinCommand: file }, false)).not.toThrow();
  expect(missing('officer', {}, false, true)).not.toThrow();
});
