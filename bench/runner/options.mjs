import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fail } from './fail.mjs';

/** The comment at the head of a script. */
function headOf(url) {
  const lines = readFileSync(new URL(url), 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines.slice(0, end).map((line) => line.slice(3));
}

/** What `parseArgs` finds. --help shows the head of the script at `url`; a wrong option ends the run. */
export function parseOptions(url, config) {
  const help = { type: 'boolean', default: false };
  let found;
  try {
    found = parseArgs({ ...config, options: { ...config.options, help } });
  } catch (error) {
    fail(`${error.message.split('. ')[0]}; --help shows the options`);
  }
  if (!found.values.help) return found;
  console.log(headOf(url).join('\n'));
  process.exit(0);
}

/** The regular expression that an option is. */
export function patternOf(name, text) {
  try {
    return new RegExp(text);
  } catch (error) {
    return fail(`--${name} takes a regular expression: ${error.message}`);
  }
}
