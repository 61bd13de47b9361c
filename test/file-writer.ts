import { loadAddon } from '../src/hsm/native.js';
import type { OpenFileWriter } from '../src/storage/file-writer.js';

/** The writer of the shipped program. */
export const openWriter: OpenFileWriter = (onWritten) => loadAddon().createFileWriter(onWritten);
