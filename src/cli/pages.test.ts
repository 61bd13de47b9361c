import { expect, test } from 'vitest';
import { allPages, type Page } from './pages.js';

/** Returns the pages in order, and then the last one again and again. */
function reader(...pages: Page<number>[]) {
  let count = 0;
  return (): Promise<Page<number>> => Promise.resolve(pages[Math.min(count++, pages.length - 1)] ?? { items: [] });
}

test('returns all items of all pages, in order', async () => {
  const read = reader(
    { items: [1, 2], truncated: true, nextMarker: 'a' },
    { items: [], truncated: true, nextMarker: 'b' },
    { items: [3], truncated: false, nextMarker: 'ignored' },
  );
  expect(await allPages(read)).toEqual([1, 2, 3]);
});

test.each([
  ['the same marker for ever', { items: [1], truncated: true, nextMarker: 'a' }, /read before/],
  ['more, and no marker', { items: [1], truncated: true }, /not where it begins/],
  ['more, and an empty marker', { items: [1], truncated: true, nextMarker: '' }, /not where it begins/],
  ['a marker that fills the memory', { items: [1], truncated: true, nextMarker: 'm'.repeat(1_025) }, /1025/],
])('throws instead of returning a list: %s', async (_name, page, says) => {
  await expect(allPages(reader(page))).rejects.toMatchObject({
    code: 'BAD_ANSWER',
    message: expect.stringMatching(says) as string,
  });
});

test('refuses a list whose pages form a circle', async () => {
  let count = 0;
  const read = (): Promise<Page<number>> =>
    Promise.resolve({ items: [count], truncated: true, nextMarker: `m${count++ % 3}` });
  await expect(allPages(read)).rejects.toMatchObject({ code: 'BAD_ANSWER' });
  expect(count).toBe(4);
});
