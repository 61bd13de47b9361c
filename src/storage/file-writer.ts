/**
 * Writes to a file on a thread of its own. The addon has one (`NativeFileWriter`); storage knows no addon, so the
 * composition passes it.
 */
export interface FileWriter {
  /** Takes a text, as UTF-8. One at a time: the listener must have been called for the one before. */
  write(fileDescriptor: number, text: string): void;
  /** Ends the thread when its present write is done. The listener is not called any more. */
  close(): void;
}

/**
 * Called later, once for each text.
 * @param errno errno(3) of the failure that stopped the rest; 0 if all was written
 */
export type FileWriterListener = (writtenBytes: number, errno: number) => void;

/** Throws if the system has no more threads. */
export type OpenFileWriter = (onWritten: FileWriterListener) => FileWriter;
