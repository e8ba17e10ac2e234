import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from './support';

const cli = join(root, 'dist', 'cli.js');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'miheap-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function miheap(args: string[], env: NodeJS.ProcessEnv = {}, program = cli) {
  return spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

function outcome({ status, stdout, stderr }: SpawnSyncReturns<string>) {
  return [status, stdout, stderr];
}

const library = () => miheap(['lib']).stdout.trim();

test('--version prints the version of the package', () => {
  const { version } = require('../../package.json');
  expect(outcome(miheap(['--version']))).toEqual([0, `${version}\n`, '']);
  expect(outcome(miheap(['-v']))).toEqual([0, `${version}\n`, '']);
});

test('--help names every command and option', () => {
  const { status, stdout } = miheap(['--help']);
  expect(status).toBe(0);
  for (const word of ['run', 'lib', '--show-stats', '--no-inherit']) expect(stdout).toContain(word);
  for (const args of [['-h'], ['run', '--help'], ['run', '--show-stats', '-h']]) {
    expect(outcome(miheap(args))).toEqual([0, stdout, '']);
  }
});

describe('misuse ends with code 2 and one line', () => {
  test.each([
    [[], 'miheap: run, lib, --help or --version is missing; see miheap --help\n'],
    [['walk'], 'miheap: unknown command walk; see miheap --help\n'],
    [['--verbose'], 'miheap: unknown option --verbose; see miheap --help\n'],
    [['run'], 'miheap: run needs a command; see miheap --help\n'],
    [['run', '--'], 'miheap: run needs a command; see miheap --help\n'],
    [['run', '--', ''], 'miheap: run needs a command; see miheap --help\n'],
    [['run', '--show-stats'], 'miheap: run needs a command; see miheap --help\n'],
    [['run', '--stats', '--', 'true'], 'miheap: unknown option --stats; see miheap --help\n'],
    [['run', '-x', 'true'], 'miheap: unknown option -x; see miheap --help\n'],
    [['lib', '--json'], 'miheap: lib takes no argument, got --json; see miheap --help\n'],
  ])('%j', (args, line) => {
    expect(outcome(miheap(args))).toEqual([2, '', line]);
  });
});

test.each([
  [0, 'stdout', ['lib']],
  [0, 'stdout', ['--help']],
  [2, 'stderr', ['walk']],
] as const)(
  'ends with %i and nothing more to say if the reader of its %s has gone',
  async (...row) => {
    const [expected, unread, args] = row;
    // The shell starts the program once the reader has gone, and not before.
    const script = 'read line && exec "$0" "$@"';
    const child = spawn('/bin/sh', ['-c', script, process.execPath, cli, ...args]);
    const other = unread === 'stdout' ? child.stderr : child.stdout;
    let output = '';
    other.on('data', (text) => {
      output += text;
    });
    child[unread].on('close', () => child.stdin.end('go\n')).destroy();
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, output]).toEqual([expected, '']);
  },
);

if (process.platform === 'linux') {
  test('one line says that the output cannot be written, with code 2', () => {
    const script = 'exec "$0" "$@" > /dev/full';
    const child = spawnSync('/bin/sh', ['-c', script, process.execPath, cli, 'lib']);
    expect(child.status).toBe(2);
    expect(String(child.stderr)).toMatch(/^miheap: ENOSPC.*\n$/);
  });
}

test('a copy of the package without the library says so, with code 2', () => {
  const bare = join(folder, 'bare');
  mkdirSync(join(bare, 'prebuilds', 'plan9-mips'), { recursive: true });
  cpSync(join(root, 'dist'), join(bare, 'dist'), { recursive: true });
  writeFileSync(join(bare, 'prebuilds', 'plan9-mips', 'miheap.node'), '');
  for (const libc of ['glibc', 'musl']) {
    writeFileSync(join(bare, 'prebuilds', 'plan9-mips', `miheap.${libc}.node`), '');
    writeFileSync(join(bare, 'prebuilds', 'plan9-mips', `libmiheap.${libc}.so`), '');
  }
  const line =
    `miheap: no library to preload on ${process.platform}-${process.arch} (odd) ` +
    '(platforms shipped: plan9-mips, plan9-mips (glibc), plan9-mips (musl))\n';
  for (const args of [['lib'], ['run', '--', 'true']]) {
    const program = join(bare, 'dist', 'cli.js');
    expect(outcome(miheap(args, { LIBC: 'odd' }, program))).toEqual([2, '', line]);
  }
});

test('a library that LD_PRELOAD cannot name is neither used nor printed', () => {
  const spaced = join(folder, 'with space');
  cpSync(join(root, 'dist'), join(spaced, 'dist'), { recursive: true });
  mkdirSync(join(spaced, 'build', 'Release'), { recursive: true });
  cpSync(library(), join(spaced, 'build', 'Release', 'libmiheap.so'));
  for (const args of [['run', 'true'], ['lib']]) {
    const { status, stdout, stderr } = miheap(args, {}, join(spaced, 'dist', 'cli.js'));
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^miheap: LD_PRELOAD cannot name a path with a space .*\n$/);
  }
});

test('lib prints an absolute path that can be preloaded', () => {
  expect(isAbsolute(library())).toBe(true);
  const { status, stderr } = spawnSync('/bin/true', { env: { LD_PRELOAD: library() } });
  expect([status, String(stderr)]).toEqual([0, '']);
});

describe('run', () => {
  const shell = (script: string, ...flags: string[]) => [
    'run',
    ...flags,
    '--',
    '/bin/sh',
    '-c',
    script,
  ];
  const preloads = 'grep -c libmiheap /proc/$$/maps';

  test('passes arguments, input and output through', () => {
    const script = 'const [, ...rest] = process.argv; console.log(JSON.stringify(rest))';
    const args = ['--', '-x', 'a b', '', '"', '--show-stats', 'é'];
    const { stdout } = miheap(['run', process.execPath, '-e', script, ...args]);
    expect(JSON.parse(stdout)).toEqual(args.slice(1));
    const echo = spawnSync(process.execPath, [cli, 'run', 'cat'], { input: 'in and out' });
    expect(String(echo.stdout)).toBe('in and out');
  });

  test('preloads the library, also without --', () => {
    expect(Number(miheap(shell(preloads)).stdout)).toBeGreaterThan(0);
    expect(miheap(['run', 'printenv', 'LD_PRELOAD']).stdout.trim()).toBe(library());
  });

  test('keeps a library that was already preloaded, after its own', () => {
    const env = { LD_PRELOAD: library() };
    const { stdout } = miheap(['run', 'printenv', 'LD_PRELOAD'], env);
    expect(stdout).toBe(`${library()}:${library()}\n`);
  });

  test('leaves the rest of the environment alone', () => {
    const env = { GREETING: 'hello = world\nsecond line' };
    expect(miheap(['run', 'printenv', 'GREETING'], env).stdout).toBe(`${env.GREETING}\n`);
  });

  test.each([0, 1, 2, 42, 255])('passes exit code %i through', (code) => {
    expect(outcome(miheap(shell(`exit ${code}`)))).toEqual([code, '', '']);
  });

  test('ends with 127 for a command that is not found', () => {
    expect(outcome(miheap(['run', '--', 'no-such-command']))).toEqual([
      127,
      '',
      'miheap: no-such-command: command not found\n',
    ]);
  });

  test.each([
    ['a file that is no program', 'text', 0o644, 'EACCES'],
    [
      'a script whose interpreter is not found',
      '#!/no/such/interpreter\n',
      0o755,
      'what its first line names is not found',
    ],
  ])('ends with 126 for %s', (_, text, mode, why) => {
    const file = join(folder, 'no-program');
    writeFileSync(file, text);
    chmodSync(file, mode);
    expect(outcome(miheap(['run', '--', file]))).toEqual([
      126,
      '',
      `miheap: ${file}: cannot be run (${why})\n`,
    ]);
  });

  test('a wrong option is complained of by the command alone', () => {
    const { stderr } = miheap(['run', '--', 'true'], { MIHEAP_PURGE_DELAY: 'abc' });
    expect(stderr).toMatch(/^miheap: warning: .*MIHEAP_PURGE_DELAY.*\n$/);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGHUP', 'SIGABRT', 'SIGPIPE'] as const)(
    'dies by %s when its command does',
    (signal) => {
      expect(miheap(shell(`kill -${constants.signals[signal]} $$; sleep 5`)).signal).toBe(signal);
    },
  );

  test.each(['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGHUP'] as const)(
    '%s reaches the command',
    async (signal) => {
      const name = signal.slice(3);
      const script = `trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.02; done`;
      const child = spawn(process.execPath, [cli, ...shell(script)]);
      let output = '';
      child.stdout.on('data', (text) => {
        if (output === '') child.kill(signal);
        output += text;
      });
      const code = await new Promise((resolve) => child.on('exit', resolve));
      expect([code, output]).toEqual([9, `ready\ngot ${name}\n`]);
    },
  );

  if (process.platform === 'linux') {
    test('starts the command with no signal blocked or ignored', () => {
      const { stdout } = miheap(['run', 'grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
      expect(stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
    });
  }

  test('a child process is preloaded too, unless --no-inherit', () => {
    const child = `/bin/sh -c '${preloads}'; true`;
    expect(Number(miheap(shell(child)).stdout)).toBeGreaterThan(0);
    expect(Number(miheap(shell(preloads, '--no-inherit')).stdout)).toBeGreaterThan(0);
    expect(Number(miheap(shell(child, '--no-inherit')).stdout)).toBe(0);
    const { stdout } = miheap(shell('env', '--no-inherit'));
    expect(stdout).not.toMatch(/libmiheap|MIHEAP_NO_INHERIT/);
  });

  test('--no-inherit keeps what else was preloaded', () => {
    const kept = join(folder, 'libkept.so');
    cpSync(library(), kept);
    const { stdout } = miheap(shell('printenv LD_PRELOAD', '--no-inherit'), { LD_PRELOAD: kept });
    expect(stdout.trim()).toBe(kept);
  });

  test('--show-stats prints a table on stderr', () => {
    const { status, stdout, stderr } = miheap(['run', '--show-stats', '--', 'echo', 'hi']);
    expect([status, stdout]).toEqual([0, 'hi\n']);
    expect(stderr).toMatch(/peak/);
    expect(miheap(['run', '--', 'echo', 'hi']).stderr).toBe('');
  });

  test('--show-stats tells the table of the addon from that of malloc', () => {
    const script = `new (require(${JSON.stringify(root)}).Heap)().alloc(50e6)`;
    const { stderr } = miheap(['run', '--show-stats', '--', process.execPath, '-e', script]);
    const [first, named, second, ...rest] = stderr.split(/^(miheap in Node's addon:\n)/m);
    expect([first, rest]).toEqual(['', []]);
    expect(named).toBeDefined();
    const huge = [...(second as string).matchAll(/malloc_huge: +(\S+)/g)].map(([, peak]) => peak);
    expect(huge).toEqual(['47.6', expect.not.stringMatching('47.6')]); // the addon's, then malloc's
  });
});
