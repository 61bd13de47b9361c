/**
 * Runs commands one after the other, with a line for each and the duration of slow ones. Plain Node: it runs before
 * `npm ci`.
 */
import { spawn, spawnSync } from 'node:child_process';

/** A failed step and its remedy. The scripts print its message and nothing else. */
export class StepFailure extends Error {}

const repeatWithoutTerminalMs = 15_000;

/**
 * Prints the current step, and its duration if that was more than a second.
 * @param {{ quiet: boolean, output?: NodeJS.WriteStream }} options `output` is stderr for a program whose stdout is its
 * result
 */
export class Steps {
  constructor({ quiet, output = process.stdout }) {
    this.quiet = quiet;
    this.output = output;
  }

  say(line) {
    if (!this.quiet) this.output.write(`${line}\n`);
  }

  /** Shows `label` with the elapsed seconds while `work` runs. */
  async run(label, work) {
    const startedMs = performance.now();
    const seconds = () => Math.round((performance.now() - startedMs) / 1_000);
    const { output } = this;
    const inPlace = output.isTTY === true && !this.quiet;
    const interval = inPlace ? 1_000 : repeatWithoutTerminalMs;
    const show = () => output.write(inPlace ? `\r… ${label}  ${seconds()} s` : `… ${label}  ${seconds()} s\n`);
    if (inPlace) output.write(`… ${label}`);
    const timer = this.quiet ? undefined : setInterval(show, interval);
    try {
      const result = await work();
      const duration = seconds() > 0 ? `  (${seconds()} s)` : '';
      if (inPlace) output.write(`\r\x1b[K`);
      this.say(`✓ ${label}${duration}`);
      return result;
    } catch (error) {
      if (inPlace) output.write(`\r\x1b[K`);
      output.write(`✗ ${label}\n`);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}

/**
 * Runs a command to its end. @returns its stdout.
 * @throws StepFailure with the end of its output
 */
export function execute(program, argumentList, { env = {}, cwd, input, interactive = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = interactive ? 'inherit' : ['pipe', 'pipe', 'pipe'];
    const child = spawn(program, argumentList, { cwd, env: { ...process.env, ...env }, stdio });
    const stdout = [];
    const all = [];
    child.stdout?.on('data', (chunk) => stdout.push(chunk) && all.push(chunk));
    child.stderr?.on('data', (chunk) => all.push(chunk));
    // A program that does not read its input is not an error.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
    child.on('error', (error) => reject(new StepFailure(`${program} cannot be run: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(stdout).toString());
      const lines = Buffer.concat(all).toString().trimEnd().split('\n').slice(-40).join('\n');
      const how = signal === null ? `failed (exit code ${code})` : `was ended by ${signal}`;
      reject(new StepFailure(`${[program, ...argumentList].join(' ')} ${how}:\n${lines}`));
    });
  });
}

/** Whether a program is in the PATH. */
export function isInstalled(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

/** Runs a script's main function: a failure is printed as a sentence, and the exit code is 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`\n${error instanceof StepFailure ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
