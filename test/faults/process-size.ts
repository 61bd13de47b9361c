/** How large this process is: what must not grow. */
import { readdirSync } from 'node:fs';

export interface ProcessSize {
  threads: number;
  descriptors: number;
  residentMebibytes: number;
}

export function processSize(): ProcessSize {
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
    residentMebibytes: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}
