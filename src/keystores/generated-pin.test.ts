import { expect, test } from 'vitest';
import { generatePin } from './generated-pin.js';

test('generated PINs have the length, and a character of each class', () => {
  for (const [longest, length] of [
    [8, 8],
    [32, 24],
    [255, 24],
  ] as const) {
    const pin = new TextDecoder().decode(generatePin(longest).reveal());
    expect(pin).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]+$/);
    expect(pin).toHaveLength(length);
  }
});
