// Parses, lowers and prints the TypeScript compiler with itself: some 6 MB of source.
'use strict';
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const library = process.argv[2];
const compiler = ['_tsc.js', 'tsc.js'].map((name) => join(library, name)).find(existsSync);
const ts = require(join(library, 'typescript.js'));
const { outputText, sourceMapText } = ts.transpileModule(readFileSync(compiler, 'utf8'), {
  compilerOptions: { target: ts.ScriptTarget.ES2015, sourceMap: true },
});
writeFileSync('out.js', outputText);
writeFileSync('out.js.map', sourceMapText);
