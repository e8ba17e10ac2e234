import { type InspectOptions, inspect as inspectValue } from 'node:util';

/** The name of the method that says what `util.inspect` and `console.log` show of an object. */
export const inspect: typeof inspectValue.custom = inspectValue.custom;

/** `fields` as `util.inspect` shows them, after the name of `instance`'s class. `depth` and `options` are its own. */
export function shownAs(
  instance: object,
  fields: object,
  depth: number,
  options: InspectOptions,
): string {
  const name = instance.constructor?.name ?? 'Object';
  return depth < 0 ? `[${name}]` : `${name} ${inspectValue(fields, { ...options, depth })}`;
}
