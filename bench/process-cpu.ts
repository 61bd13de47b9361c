import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU time that a process has used, user and system, all threads, in seconds (proc(5), `/proc/<pid>/stat`). */
export function cpuSecondsOf(pid: number): number {
  return cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'), ticksPerSecond);
}

/** From the text of a `stat` file. The program's name, in parentheses, may contain anything. */
export function cpuSecondsIn(stat: string, ticks: number): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
  if (Number.isNaN(userTicks + systemTicks)) throw new Error(`Not a stat file: ${stat}`);
  return (userTicks + systemTicks) / ticks;
}
