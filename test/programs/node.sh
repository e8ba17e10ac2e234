#!/usr/bin/env bash
# node: V8, its compiler and collector threads, worker threads, and a heap of hundreds of megabytes.
source "$(dirname "$0")/common.sh"
need node

# A TypeScript written in JavaScript: version 7 is a native program and would not exercise node. Some
# development dependency of ours brings one.
typescript=
for candidate in "$root"/node_modules/{typescript5,typescript,@*/*/node_modules/typescript}/lib; do
  [[ -f $candidate/typescript.js ]] && typescript=$candidate && break
done
[[ $typescript ]] || missing "a typescript 5 in node_modules (run npm install)"

compare 'node: compile this repository' \
  node "$typescript/tsc.js" -p "$root/tsconfig.build.json" --declarationDir out --sourceMap --outDir out
compare 'node: transpile the TypeScript compiler' \
  node "$here/workloads/transpile.js" "$typescript"
compare 'node: worker threads' node "$here/workloads/workers.js"
