/** The addon's functions for the process as a whole; the rest of the seam is `native.ts`. */
export interface NativeProcess {
  /** Makes the allocator overwrite freed memory, in the whole process (`native/src/freed_memory.h`). */
  keepFreedMemoryClean(): void;
  /**
   * Overwrites memory that this thread has freed since and keeps for its next allocations, and dead stack; some 20 µs.
   */
  cleanFreedMemory(): void;
  /** RLIMIT_CORE 0 and PR_SET_DUMPABLE 0: no core dump contains a secret. */
  disableCoreDumps(): void;
  /** Sends a message of sd_notify(3). Throws when it cannot be sent; never waits. */
  notifyServiceManager(socketPath: string, message: string): void;
  /** Whether a write of up to 4,096 bytes to this descriptor, a pipe or a socket, returns at once. Never waits. */
  takesWrites(fileDescriptor: number): boolean;
  /** `_exit(2)`, when the drain's bound has passed and a lane still hangs: `process.exit` with a live thread aborts. */
  exitNow(code: number): void;
}
