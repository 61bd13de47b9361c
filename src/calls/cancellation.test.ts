import { expect, test } from 'vitest';
import { RequestCancellation } from './cancellation.js';

test('notifies every listener once, and a late one without delay', () => {
  const cancellation = new RequestCancellation();
  const told: string[] = [];
  cancellation.onCancel({ cancelled: () => void told.push('first') });
  cancellation.onCancel({ cancelled: () => void told.push('second') });
  expect(cancellation.isCancelled).toBe(false);
  cancellation.throwIfCancelled();
  cancellation.cancel();
  cancellation.cancel();
  cancellation.onCancel({ cancelled: () => void told.push('late') });
  expect(told).toEqual(['first', 'second', 'late']);
  expect(cancellation.isCancelled).toBe(true);
  expect(() => {
    cancellation.throwIfCancelled();
  }).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
});
