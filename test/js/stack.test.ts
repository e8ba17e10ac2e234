import { expect, test } from '@jest/globals';
import { runProgram } from './support';

interface Found {
  done: number;
  threw: number;
  changed: number;
}

test('a call that throws near the end of the stack has changed nothing', () => {
  const found = runProgram<Record<string, Found>>('stack-end', { flags: ['--stack-size=200'] });
  expect(Object.keys(found).length).toBeGreaterThanOrEqual(14);
  for (const [call, { done, threw, changed }] of Object.entries(found)) {
    expect([call, done > 0, threw > 0, changed]).toEqual([call, true, true, 0]);
  }
});
