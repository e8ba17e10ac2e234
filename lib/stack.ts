/** About 4 kB: more than what follows a check needs. */
const ROOM: readonly number[] = new Array(512).fill(0);
const MORE_ROOM: readonly number[] = new Array(1024).fill(0);

function nothing(): void {}

/**
 * Throws V8's RangeError if hardly any stack is left. To be called before what cannot be undone: it will not end in
 * the middle then. The arguments lie on the stack during the call, so V8 looks for room for them.
 */
export function checkStack(): void {
  nothing.apply(undefined, ROOM as []);
}

/** Like `checkStack`, for what calls that itself. */
export function checkMoreStack(): void {
  nothing.apply(undefined, MORE_ROOM as []);
}
