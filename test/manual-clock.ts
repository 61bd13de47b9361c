import { randomUUID } from 'node:crypto';
import type { BootTime, Clock, ScheduledTask } from '../src/clock.js';

interface Task {
  dueMs: number;
  run: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 1_000;
  #tasks: Task[] = [];

  constructor(
    start = new Date('2026-01-01T00:00:00Z'),
    readonly bootId = randomUUID() as string,
  ) {
    this.#wallMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  boot(): BootTime {
    return { bootId: this.bootId, sinceBootMs: this.#monotonicMs };
  }

  /** A step of the wall clock alone, as made by an operator, NTP or an attacker. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  schedule(delayMs: number, run: () => void): ScheduledTask {
    const task = { dueMs: this.#monotonicMs + delayMs, run };
    this.#tasks.push(task);
    return { cancel: () => void (this.#tasks = this.#tasks.filter((other) => other !== task)) };
  }

  /** How many tasks wait for their time. */
  get scheduled(): number {
    return this.#tasks.length;
  }

  /** Moves both clocks and runs the tasks that have become due, in order. */
  advance(durationMs: number): void {
    this.#wallMs += durationMs;
    this.#monotonicMs += durationMs;
    const due = this.#tasks.filter((task) => task.dueMs <= this.#monotonicMs).sort((a, b) => a.dueMs - b.dueMs);
    this.#tasks = this.#tasks.filter((task) => !due.includes(task));
    for (const task of due) task.run();
  }
}
