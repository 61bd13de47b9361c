/** Loaded into the profiled server: SIGUSR2 starts a CPU profile, the next one writes it to HOLDFAST_BENCH_PROFILE. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const session = new Session();
let running = false;

process.on('SIGUSR2', async () => {
  running = !running;
  if (running) {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    return;
  }
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(process.env.HOLDFAST_BENCH_PROFILE, JSON.stringify(profile));
  session.disconnect();
});
