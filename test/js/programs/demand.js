/** What the programs check with: demand(condition, what) throws if the condition does not hold; codeOf(action) is the
 * code of the error that the action throws, or undefined if it throws none. */
exports.demand = (condition, what) => {
  if (!condition) throw new Error(what);
};
exports.codeOf = (action) => {
  try {
    action();
  } catch (error) {
    return error.code;
  }
};
