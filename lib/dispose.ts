/** Node before 18.18 has no `Symbol.dispose`; there, no code can ask for it either. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol('Symbol.dispose');
