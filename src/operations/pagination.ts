import { HoldfastError } from '../errors.js';

/** The operations that answer in pages. Each refuses the markers of the others. */
export type PagedOperation = 'ListKeys' | 'ListAliases' | 'DescribeCustomKeyStores' | 'DescribeBackups';

/** One page as AWS shapes it: `nextMarker` is present only when `truncated` is true, because clients loop on its presence. */
export interface Page<Item> {
  items: Item[];
  truncated: boolean;
  nextMarker?: string | undefined;
}

const markerVersion = 1;

/**
 * An opaque marker: base64url of the marker's version, the operation, and the position after which the next page
 * begins.
 */
export function encodeMarker(operation: PagedOperation, position: string): string {
  return Buffer.from(JSON.stringify([markerVersion, operation, position])).toString('base64url');
}

/**
 * The position in a marker; undefined for no marker.
 * @throws INVALID_MARKER for every string that `encodeMarker` did not make for this operation.
 */
export function decodeMarker(operation: PagedOperation, marker: string | undefined): string | undefined {
  if (marker === undefined) return undefined;
  const position = positionIn(Buffer.from(marker, 'base64url').toString('utf8'));
  // Comparing with our own encoding refuses other versions, other operations and sloppy encodings at once.
  if (position === undefined || encodeMarker(operation, position) !== marker) throw invalidMarker();
  return position;
}

function positionIn(json: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(json);
    const position: unknown = Array.isArray(parsed) ? parsed[2] : undefined;
    return typeof position === 'string' ? position : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function invalidMarker(): HoldfastError {
  return new HoldfastError('INVALID_MARKER', 'The marker is not one that this operation returned.', {
    fieldViolations: [{ field: 'marker', description: 'Give the next_marker of the previous response, or none.' }],
  });
}

/**
 * Cuts a page of `limit` items.
 * @param found the result of a catalog query for `limit + 1` items.
 */
export function cutPage<Item>(
  operation: PagedOperation,
  found: readonly Item[],
  limit: number,
  positionOf: (item: Item) => string,
): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  if (found.length <= limit || last === undefined) return { items, truncated: false };
  return { items, truncated: true, nextMarker: encodeMarker(operation, positionOf(last)) };
}
