// Parses, lowers and prints the TypeScript compiler with itself: some 6 MB of source.
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const library = process.argv[2];
const ts = require(join(library, 'typescript.js'));
const { outputText, sourceMapText } = ts.transpileModule(
  readFileSync(join(library, '_tsc.js'), 'utf8'),
  { compilerOptions: { target: ts.ScriptTarget.ES2015, sourceMap: true } },
);
writeFileSync('out.js', outputText);
writeFileSync('out.js.map', sourceMapText);
