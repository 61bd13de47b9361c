import type { Command } from 'commander';
import { defaultConfigurationFile } from './config.js';

const examples = `
Example:
  holdfast serve --config /etc/holdfast/holdfast.yaml

SIGTERM and SIGINT drain: no new work, what is in flight finishes, within limits.drainTimeoutMs.
The log goes to stderr, one line of JSON each.`;

/** `holdfast serve`. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run the service')
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addHelpText('after', examples)
    .action(async (options: { config: string }) => {
      const { serve } = await import('../../main.js');
      await serve(options.config);
    });
}
