/** Numbers that look random, the same for the same seed. Returns a function: random(n) is from 0 to n - 1. */
module.exports = (seed) => {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % n;
  };
};
