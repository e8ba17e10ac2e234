/** Ends the run with a message for the person who started it. */
export function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(1);
}
