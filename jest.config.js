module.exports = {
  testEnvironment: 'node',
  testMatch: ['js', 'package', 'bench'].map((name) => `<rootDir>/test/${name}/**/*.test.ts`),
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/build-ctest'],
  maxWorkers: '100%', // they wait more than they work
  testTimeout: 60_000,
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
      },
    ],
  },
};
