import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultLockDirectory } from './resolve.js';

describe('the default lock directory', () => {
  const shared = `/tmp/holdfast-locks-${userInfo().uid}`;
  it.each([
    [{ RUNTIME_DIRECTORY: '/run/holdfast', XDG_RUNTIME_DIR: '/run/user/7' }, '/run/holdfast/locks'],
    [{ RUNTIME_DIRECTORY: '/run/holdfast:/run/other' }, '/run/holdfast/locks'],
    [{ XDG_RUNTIME_DIR: '/run/user/7' }, '/run/user/7/holdfast'],
    [{ RUNTIME_DIRECTORY: '', XDG_RUNTIME_DIR: 'relative' }, shared],
    [{}, shared],
  ])('with %j is %s', (environment, expected) => {
    expect(defaultLockDirectory(environment)).toBe(expected);
  });
});
