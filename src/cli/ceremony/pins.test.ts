import { expect, test } from 'vitest';
import type { ClusterConfiguration, Configuration } from '../../config/configuration.js';
import type { NativeKeyMaker } from '../../hsm/native-ceremony.js';
import type { Terminal } from '../terminal.js';
import { type PinOptions, requireMakerPinSources, requirePinSources } from './pins.js';

const missing = (maker: NativeKeyMaker, options: PinOptions, isConfigured: boolean, isTTY?: true): (() => void) => {
  const members = [{ name: 'a', native: { maker } }] as unknown as Parameters<typeof requireMakerPinSources>[3];
  const terminal = { stdin: { isTTY } } as unknown as Terminal;
  return () => requireMakerPinSources(terminal, configurationOf(isConfigured), clusterWith([]), members, options);
};

const configurationOf = (hasPin: boolean) =>
  ({ defaultKeyStore: hasPin ? { cluster: 'one', pin: { kind: 'env', name: 'PIN' } } : null }) as Configuration;
const clusterWith = (recoveryMembers: object[]) =>
  ({ id: 'one', name: 'one', recoveryMembers }) as unknown as ClusterConfiguration;

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

test('the configured PIN is not for a recovery member, which has one of its own', () => {
  const required = (options: PinOptions) => () =>
    requirePinSources(
      { stdin: {} } as unknown as Terminal,
      configurationOf(true),
      clusterWith([{ name: 'far' }]),
      ['a', 'far'],
      options,
    );
  expect(required({})).toThrow('the user PIN of cluster one is needed');
  expect(required({ userPinFile: new Map([['a', 'pin']]) })).toThrow('the user PIN of cluster one is needed');
  expect(required({ userPinFile: new Map([['far', 'pin']]) })).not.toThrow();
});
