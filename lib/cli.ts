#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { preloadLibrary, shippedPlatforms, system } from './shipped';

const HELP = `Usage:
  miheap run [--show-stats] [--no-inherit] -- COMMAND…   run COMMAND on miheap's malloc
  miheap lib                                             print the path of the library to preload
  miheap --help | --version

Options of run:
  --show-stats   print the allocator's statistics on stderr when a process ends by exit
  --no-inherit   only COMMAND itself runs on miheap, not the processes it starts

The exit code is COMMAND's own; 127 if it is not found, 126 if it cannot be run, and 2 if miheap
itself was misused or has no library for this platform.
`;

/** Ends the program with one line on stderr. */
class Failure extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

function misuse(message: string): Failure {
  return new Failure(2, `${message}; see miheap --help`);
}

function library(): string {
  const found = preloadLibrary();
  if (found === undefined) {
    const shipped = shippedPlatforms().join(', ') || 'none';
    throw new Failure(2, `no library to preload on ${system} (platforms shipped: ${shipped})`);
  }
  if (/[\s:]/.test(found)) {
    throw new Failure(2, `LD_PRELOAD cannot name a path with a space or a colon: ${found}`);
  }
  return found;
}

/** Prints one line on stderr, and sets the exit code. */
function fail(error: unknown): void {
  // If stderr has no reader, the exit code alone must do.
  process.stderr.on('error', () => {});
  process.stderr.write(`miheap: ${(error as Error).message}\n`);
  process.exitCode = error instanceof Failure ? error.exitCode : 2;
}

/**
 * Writes to stdout. If its reader has gone, that is no failure.
 *
 * `process.stdout` must not be touched before a command is run: Node makes a pipe non-blocking when it is, and
 * the command would inherit that.
 */
function print(text: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(error);
  });
  process.stdout.write(text);
}

function run(args: string[]): void {
  const environment: NodeJS.ProcessEnv = { ...process.env };
  let flags = 0;
  for (; args[flags]?.startsWith('-') && args[flags] !== '--'; flags++) {
    if (args[flags] === '--show-stats') environment.MIHEAP_SHOW_STATS = '1';
    else if (args[flags] === '--no-inherit') environment.MIHEAP_NO_INHERIT = '1';
    else if (args[flags] === '--help' || args[flags] === '-h') {
      print(HELP);
      return;
    } else throw misuse(`unknown option ${args[flags]}`);
  }
  const command = args.slice(args[flags] === '--' ? flags + 1 : flags);
  const file = command[0];
  if (file === undefined || file === '') throw misuse('run needs a command');

  const preload = library();
  const inherited = environment.LD_PRELOAD;
  environment.LD_PRELOAD = inherited ? `${preload}:${inherited}` : preload;
  replaceProcess(file, command, environment);
}

/** Has the command take over this process, so that exit codes and signals need no passing on. */
function replaceProcess(file: string, argv: string[], environment: NodeJS.ProcessEnv): never {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  // Options are for the command alone. This process would read them, too, and complain of wrong ones.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('MIHEAP_')) delete process.env[name];
  }
  const { native }: typeof import('./native') = require('./native');
  const error = getSystemErrorName(-native.execute(file, argv, variables));
  if (error === 'ENOENT' && existsSync(file) && file.includes('/')) {
    throw new Failure(126, `${file}: cannot be run (what its first line names is not found)`);
  }
  if (error === 'ENOENT') throw new Failure(127, `${file}: command not found`);
  throw new Failure(126, `${file}: cannot be run (${error})`);
}

function main([verb, ...rest]: string[]): void {
  switch (verb) {
    case 'run':
      run(rest);
      break;
    case 'lib':
      if (rest.length > 0) throw misuse(`lib takes no argument, got ${rest[0]}`);
      print(`${library()}\n`);
      break;
    case '--help':
    case '-h':
      print(HELP);
      break;
    case '--version':
    case '-v':
      print(`${require('../package.json').version}\n`);
      break;
    case undefined:
      throw misuse('run, lib, --help or --version is missing');
    default:
      throw misuse(`unknown ${verb.startsWith('-') ? 'option' : 'command'} ${verb}`);
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  fail(error);
}
