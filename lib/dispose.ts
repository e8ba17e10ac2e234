/** `Symbol.dispose`. Node before 18.18 has none, but no code can ask for it there either. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol('Symbol.dispose');
