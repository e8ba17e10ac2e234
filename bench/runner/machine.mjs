import { cpus, release, totalmem } from 'node:os';

/** What must be equal for two results to be compared. */
export function machine() {
  const [{ model }] = cpus();
  return `${cpus().length} x ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
}
