import { expect, test } from 'vitest';
import { canaryPlaintext } from '../keys/canary.js';
import { MaterialCache } from './material-cache.js';
import { loadAddon, type NativeMaterial } from './native.js';

const created: NativeMaterial[] = [];
const addon = {
  createMaterial: (material: NativeMaterial) => {
    created.push(material);
    return loadAddon().createMaterial(material);
  },
};

const material = (digit: string) => ({
  materialId: digit.repeat(64),
  label: `key ${digit}`,
  extractable: false,
  canary: { nonce: new Uint8Array(12), ciphertext: new Uint8Array(48) },
});

test('copies each material once, and forgets the least recently used', () => {
  const cache = new MaterialCache(addon, 2);
  const first = cache.referenceTo(material('a'));
  cache.referenceTo(material('b'));
  expect(cache.referenceTo(material('a'))).toBe(first);
  cache.referenceTo(material('c'));
  expect(cache.size).toBe(2);
  expect(cache.referenceTo(material('a'))).toBe(first);
  expect(created.map(({ label }) => label)).toEqual(['key a', 'key b', 'key c']);
  cache.referenceTo(material('b'));
  expect(created).toHaveLength(4);
  cache.forget('a'.repeat(64));
  expect(cache.referenceTo(material('a'))).not.toBe(first);
  expect(created[0]?.canaryPlaintext).toEqual(canaryPlaintext('a'.repeat(64)));
});
