import { describe, expect, it } from 'vitest';
import { canaryAdditionalData, canaryPlaintext } from './canary.js';

const materialId = 'ab'.repeat(32);

describe('a canary', () => {
  it('has the material id as its plaintext, and nothing else', () => {
    expect(Buffer.from(canaryPlaintext(materialId)).toString('hex')).toBe(materialId);
  });

  it('has additional data that no ciphertext blob and no XKS caller can produce, different for each material', () => {
    const additionalData = canaryAdditionalData(materialId);
    expect([...additionalData.subarray(0, 2)]).toEqual([0xff, 0xfe]);
    expect(Buffer.from(additionalData).toString('latin1')).toContain('holdfast:canary:1');
    expect(additionalData).not.toEqual(canaryAdditionalData('ac'.repeat(32)));
  });
});
