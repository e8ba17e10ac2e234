import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { processStats } from '../../lib';
import { preloadLibrary } from '../../lib/shipped';
import { type ProgramOptions, root, runProgram } from './support';

interface Figures {
  mallocHuge: number;
  preloadedHuge: number | undefined;
  preloadedRows: boolean;
}

const figures = (options: ProgramOptions = {}) => runProgram<Figures>('preloaded-stats', options);

test('the peak is not that of the program that was there before exec', () => {
  const script = `console.log(require('miheap').processStats().peakRss)`;
  const inner = `const { spawnSync } = require('node:child_process');
    const kept = Buffer.alloc(300_000_000, 1);
    const { stdout } = spawnSync(process.execPath, ['-e', ${JSON.stringify(script)}]);
    process.stdout.write(kept[0] === 1 ? stdout : '');`;
  const peak = Number(execFileSync(process.execPath, ['-e', inner], { cwd: root }));
  expect(peak).toBeGreaterThan(10_000_000);
  expect(peak).toBeLessThan(200_000_000);
});

describe('the preloaded library', () => {
  test('has no statistics where there is none', () => {
    expect(processStats().preloaded).toBeUndefined();
    expect(figures().preloadedHuge).toBeUndefined();
  });

  test('has its own: malloc counts there, our buffers do not', () => {
    const { mallocHuge, preloadedHuge, preloadedRows } = figures({
      env: { LD_PRELOAD: preloadLibrary() },
    });
    expect(mallocHuge).toBeGreaterThanOrEqual(50_000_000);
    expect(mallocHuge).toBeLessThan(60_000_000);
    expect(preloadedHuge).toBeGreaterThanOrEqual(200_000_000);
    expect(preloadedHuge).toBeLessThan(250_000_000);
    expect(preloadedRows).toBe(true);
  });

  test('is found under miheap run, too', () => {
    const script = `console.log(require('miheap').processStats().preloaded.committed.current > 1e6)`;
    const cli = join(root, 'dist', 'cli.js');
    const run = ['run', '--', process.execPath, '-e', script];
    const { stdout } = spawnSync(process.execPath, [cli, ...run], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('true\n');
  });

  test('is not one that merely has functions of these names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'miheap-stats-'));
    const source = join(folder, 'other.c');
    const library = join(folder, 'other.so');
    writeFileSync(
      source,
      `#include <stdlib.h>
       #include <string.h>
       char* mi_stats_get_json(size_t size, char* buf) { return strdup("{\\"version\\": 1}"); }
       void mi_free(void* text) { free(text); }\n`,
    );
    try {
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
      expect(figures({ env: { LD_PRELOAD: library } }).preloadedHuge).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
