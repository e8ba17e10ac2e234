/** The last of the words that says so wins, as in Node, which takes `_` for `-`. */
function isAskedFor(words: readonly string[]): boolean {
  const options = words.map((word) => word.replaceAll('_', '-'));
  return options.lastIndexOf('--zero-fill-buffers') > options.lastIndexOf('--no-zero-fill-buffers');
}

/**
 * Whether Node was told to clear the memory of every new buffer, also that of `Buffer.allocUnsafe`. Node does not say
 * so; it was told by one of these, unless a worker has others than its process.
 */
export const zeroFills = isAskedFor([
  ...(process.env.NODE_OPTIONS ?? '').split(/\s+/),
  ...process.execArgv,
]);
