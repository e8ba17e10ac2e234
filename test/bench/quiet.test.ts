import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { preloadLibrary } from '../../lib/shipped';
import { root } from '../js/support';

const LIVE_MIB = 22;

// V8 may not have collected yet what was dropped last: then it is not our memory to give back.
jest.retryTimes(2);

function residentMib(pid: number): number | undefined {
  try {
    const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found === null ? undefined : Number(found[1]) / 1024;
  } catch {
    return undefined; // it has just ended
  }
}

/** Resident memory of bench/programs/buffers.mjs just before it ends, when it has slept for 3 s. */
function endsWith(rounds: number, env: NodeJS.ProcessEnv): Promise<number> {
  const file = join(root, 'bench', 'programs', 'buffers.mjs');
  return new Promise((resolve, reject) => {
    const args = ['--expose-gc', file, String(rounds), String(LIVE_MIB)];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    let last = 0;
    const look = setInterval(() => {
      last = residentMib(child.pid as number) ?? last;
    }, 50);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(look);
      code === 0 ? resolve(last) : reject(new Error(`it ended with code ${code}`));
    });
  });
}

describe('Node on the preloaded library, after it churned through 1.2 GiB of buffers and went quiet', () => {
  const LD_PRELOAD = preloadLibrary();
  let allowed: number;
  beforeAll(async () => {
    const still = await endsWith(0, { LD_PRELOAD });
    // A quarter of what is alive and 16 MiB are promised; V8's own heap differs from run to run.
    allowed = still + LIVE_MIB / 4 + 16 + 16;
  });

  test('keeps little more than if it never had', async () => {
    expect(await endsWith(3, { LD_PRELOAD })).toBeLessThan(allowed);
  });

  test('keeps more where nobody may purge in the background', async () => {
    const env = { LD_PRELOAD, MIHEAP_BACKGROUND_PURGE: '0' };
    expect(await endsWith(3, env)).toBeGreaterThan(allowed);
  });
});
