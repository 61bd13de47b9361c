import { gunzipSync, inflateSync } from 'node:zlib';
import { HoldfastError } from '../../errors.js';
import { headBytes } from './request-frames.js';

/** The maximum ratio of deflate (zlib's "Maximum Compression Factor"). */
const highestRatio = 1_032;

const decompressors = new Map([
  ['gzip', gunzipSync],
  ['deflate', inflateSync],
]);

/**
 * Decompresses a message, in place of grpc-js. grpc-js decompresses all that has arrived at once, in memory that
 * nothing counts, and leaves pieces of possible secrets behind. This function makes one buffer, and zeroes the
 * compressed message.
 * @param frame the message with its header
 * @throws HoldfastError if it cannot be decompressed, or becomes longer than `maximumBytes`
 */
export function decompress(frame: Buffer, encoding: string, maximumBytes: number): Buffer {
  const decompressor = decompressors.get(encoding);
  if (decompressor === undefined) {
    const message = `This server does not know the compression of the request (${encoding}). It knows gzip and deflate.`;
    throw new HoldfastError('UNSUPPORTED_OPERATION', message);
  }
  const compressed = frame.subarray(headBytes);
  try {
    // One chunk holds everything: other chunks would not be zeroed.
    const chunkSize = Math.max(64, Math.min(maximumBytes + 1, compressed.length * highestRatio));
    return decompressor(compressed, { chunkSize, maxOutputLength: maximumBytes });
  } catch (cause) {
    throw decompressionError(cause, maximumBytes);
  } finally {
    frame.fill(0);
  }
}

function decompressionError(cause: unknown, maximumBytes: number): HoldfastError {
  if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
    const message = `The message of the request is longer than the ${maximumBytes} bytes that this server takes, once it is decompressed.`;
    return new HoldfastError('LIMIT_EXCEEDED', message, { cause, retryable: false });
  }
  return new HoldfastError('VALIDATION', 'The message of the request cannot be decompressed.', { cause });
}
