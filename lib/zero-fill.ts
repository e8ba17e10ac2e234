import { readFileSync } from 'node:fs';

/** The last of the words that says so wins, as in Node, which takes `_` for `-`, and NODE_OPTIONS with quotes. */
function isAskedFor(words: readonly string[]): boolean {
  const options = words.map((word) => word.replaceAll(/["\\]/g, '').replaceAll('_', '-'));
  return options.lastIndexOf('--zero-fill-buffers') > options.lastIndexOf('--no-zero-fill-buffers');
}

/** The text of a file; empty if there is none, or if it must not be read. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function wordsIn(text: string): string[] {
  return text.split(/[\0\s=]+/);
}

/**
 * A worker may have an `execArgv` and an `env` of its own, and a program may change its `process.env`, but Node clears
 * memory as the process was told to. These words are also the program's own: to clear once too often does no harm.
 */
function isAskedForInProcess(): boolean {
  const environment = textOf('/proc/self/environ');
  const command = textOf('/proc/self/cmdline');
  return (
    isAskedFor([...wordsIn(environment), ...wordsIn(command)]) ||
    isAskedForInFile(command.split('\0'))
  );
}

const CONFIG = /^--(?:experimental[-_](?:default[-_])?)?config[-_]file(?:=(.*))?$/;

/** Whether a configuration file that the options name (Node 23; `--config-file` is of Node 26) asks for it. */
function isAskedForInFile(options: readonly string[]): boolean {
  return options.some((option) => {
    const named = CONFIG.exec(option);
    if (named === null) return false;
    return /"zero-fill-buffers"\s*:\s*true/.test(textOf(named[1] ?? 'node.config.json'));
  });
}

const options = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv];

/** Whether Node was told to clear the memory of every new buffer, also that of `Buffer.allocUnsafe`. */
export const zeroFills = isAskedFor(options) || isAskedForInFile(options) || isAskedForInProcess();
