import { Option } from 'commander';
import { usageError } from './exit-codes.js';

/** A hidden option that people try first, refused here: every user of the machine can see a command's arguments. */
export function refuseValueOption(flag: string, instead: string): Option {
  return new Option(`${flag} <value>`).hideHelp().argParser(() => {
    throw usageError(
      `${flag} is not taken as an argument: every user of this machine can see it, and the shell keeps it in its history`,
      `use ${instead}`,
    );
  });
}
