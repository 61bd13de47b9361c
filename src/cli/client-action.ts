import type { Command } from 'commander';
import type { KmsClient } from './client.js';
import type { ConnectionOptions } from './connection.js';
import { connectionSettings } from './connection.js';
import type { Terminal } from './terminal.js';

/** The arguments of a client command's action. */
export interface ClientCall<Options> {
  client: KmsClient;
  options: Options & ConnectionOptions;
  terminal: Terminal;
}

/**
 * Makes a commander action with a client. gRPC and the generated code are loaded here, not at start: `--help` and usage
 * errors answer at once.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- it types the arguments of `action` for its author
export function withClient<Options, Positional extends (string | undefined)[]>(
  terminal: Terminal,
  action: (call: ClientCall<Options>, ...positional: Positional) => Promise<void>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    // Commander passes the positional arguments, the options, and the command.
    const command = given.at(-1) as Command;
    const options = command.opts<Options & ConnectionOptions>();
    const settings = await connectionSettings(options, terminal);
    const { KmsClient } = await import('./client.js');
    const client = await KmsClient.open(settings);
    try {
      await action({ client, options, terminal }, ...(given.slice(0, -2) as Positional));
    } finally {
      client.close();
    }
  };
}
