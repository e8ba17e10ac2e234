// Checks the layers of native/: includes and references between object files go down only, and
// platform headers and macros stay in the platform layer.
//
//   node scripts/check-layers.mjs                  the sources
//   node scripts/check-layers.mjs --objects DIR    also the object files that CMake left in DIR
//   node scripts/check-layers.mjs --self-test      whether this script notices a violation
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

// Lowest first. The folders of one row may not include each other.
const layers = [
  ['native/include'],
  ['native/core'],
  ['native/core/os'],
  ['native/core/options'],
  ['native/core/stats'],
  ['native/core/segment'],
  ['native/core/page'],
  ['native/core/heap'],
  ['native/core/api'],
  ['native/override', 'native/addon'],
];

// The language's own headers, and the interface that the addon is written to.
const portable = new Set(
  `assert ctype errno float inttypes limits math setjmp stdalign stdarg stdatomic stdbool stddef
   stdint stdio stdlib stdnoreturn string time wchar node_api napi`
    .split(/\s+/)
    .map((name) => `${name}.h`),
);
const platformMacro =
  /\b(_WIN32|_WIN64|_MSC_VER|__linux__|__APPLE__|__FreeBSD__|__GLIBC__|__MUSL__|__ANDROID__|__unix__|__x86_64__|__aarch64__|__LP64__)\b/;
// Files that CMake chooses by platform, and the public header, which users compile anywhere.
const mayKnowThePlatform = (file) =>
  file.startsWith('native/core/os/') ||
  file.startsWith('native/include/') ||
  /^(platform|glibc)/.test(posix.basename(file));

const levelOf = new Map(layers.flatMap((row, level) => row.map((folder) => [folder, level])));
const layerOf = (file) => posix.dirname(file);

function mayUse(from, to) {
  return from === to || levelOf.get(to) < levelOf.get(from);
}

function checkSources(root) {
  const problems = [];
  const files = readdirSync(join(root, 'native'), { recursive: true })
    .map((name) => posix.join('native', name.replaceAll('\\', '/')))
    .filter((name) => /\.(c|cc|cpp|h|hpp)$/.test(name));
  const known = new Set(files);

  for (const file of files) {
    const layer = layerOf(file);
    if (!levelOf.has(layer)) {
      problems.push(`${file}: its folder is in no layer`);
      continue;
    }
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .forEach((line, index) => {
        const where = `${file}:${index + 1}`;
        const included = line.match(/^\s*#\s*include\s*(["<])([^">]+)/);
        if (included) {
          const [, quote, name] = included;
          const target = [
            posix.join(layer, name),
            ...[...levelOf.keys()].map((l) => posix.join(l, name)),
          ]
            .concat(posix.join('native/core', name))
            .find((candidate) => known.has(candidate));
          if (target) {
            if (!mayUse(layer, layerOf(target))) {
              problems.push(`${where}: ${layer} may not include ${target}`);
            }
          } else if (quote === '"') {
            problems.push(`${where}: no such file: ${name}`);
          } else if (name.includes('.') && !portable.has(name) && !mayKnowThePlatform(file)) {
            problems.push(`${where}: <${name}> belongs in native/core/os`);
          }
        } else if (
          /^\s*#\s*(el)?if/.test(line) &&
          platformMacro.test(line) &&
          !mayKnowThePlatform(file)
        ) {
          problems.push(`${where}: which platform it is, only native/core/os may ask`);
        }
      });
  }
  return { problems, count: files.length };
}

// The core is compiled for several targets, of which the first is checked.
function checkObjects(directory) {
  const problems = [];
  const objects = readdirSync(directory, { recursive: true })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => /native\/core\/.*\.(o|obj)$/.test(name))
    .sort();
  const targetOf = (name) => name.slice(0, name.indexOf('native/core/'));
  const mine = objects.filter((name) => targetOf(name) === targetOf(objects[0]));
  const sourceOf = (name) => name.slice(targetOf(name).length).replace(/\.(o|obj)$/, '');

  const definedIn = new Map();
  const uses = [];
  for (const object of mine) {
    const listing = execFileSync('nm', ['-P', join(directory, object)], { encoding: 'utf8' });
    for (const line of listing.split('\n')) {
      const [symbol, type] = line.split(' ');
      if (type === 'U') uses.push([sourceOf(object), symbol]);
      else if (/^[A-TV-Z]$/.test(type)) definedIn.set(symbol, sourceOf(object));
    }
  }
  for (const [source, symbol] of uses) {
    const owner = definedIn.get(symbol);
    if (owner && !mayUse(layerOf(source), layerOf(owner))) {
      problems.push(`${source}: ${layerOf(source)} may not call ${symbol} of ${owner}`);
    }
  }
  return { problems, count: mine.length };
}

function selfTest() {
  const root = mkdtempSync(join(tmpdir(), 'check-layers-'));
  const plant = (files) => {
    rmSync(join(root, 'native'), { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return checkSources(root).problems;
  };
  const expect = (problems, pattern) => {
    if (pattern ? problems.length !== 1 || !pattern.test(problems[0]) : problems.length > 0) {
      console.error(`self-test: expected ${pattern ?? 'nothing'}, found`, problems);
      process.exitCode = 1;
    }
  };
  try {
    const page = { 'native/core/types.h': '', 'native/core/page/page.h': '#include "types.h"\n' };
    expect(plant({ ...page, 'native/core/heap/heap.c': '#include "page/page.h"\n' }));
    expect(
      plant({ ...page, 'native/core/os/os.c': '#include "page/page.h"\n' }),
      /os may not include/,
    );
    expect(
      plant({ ...page, 'native/core/page/page.c': '#include "page.h"\n#include <sys/mman.h>\n' }),
      /mman/,
    );
    expect(plant({ ...page, 'native/core/os/os.c': '#include <sys/mman.h>\n#ifdef __linux__\n' }));
    expect(
      plant({ ...page, 'native/core/page/page.c': '#if defined(__linux__)\n' }),
      /which platform/,
    );
    expect(plant({ ...page, 'native/core/page/page.c': '#include "gone.h"\n' }), /no such file/);
    expect(plant({ ...page, 'native/core/other/x.c': '' }), /no layer/);

    const build = join(root, 'build');
    const compile = (name, text) => {
      const source = join(root, 'source.c');
      const object = join(build, 'x.dir', `native/core/${name}.c.o`);
      mkdirSync(dirname(object), { recursive: true });
      writeFileSync(source, text);
      execFileSync(process.env.CC ?? 'cc', ['-c', source, '-o', object]);
    };
    compile('page/page', 'void os_go(void); void page_go(void) { os_go(); }');
    compile('os/os', 'void os_go(void) {}');
    expect(checkObjects(build).problems);
    compile('os/os', 'void page_go(void); void os_go(void) { page_go(); }');
    expect(checkObjects(build).problems, /os may not call page_go of/);
  } finally {
    rmSync(root, { recursive: true });
  }
  if (!process.exitCode) console.log('check-layers: notices each planted violation');
}

function report(what, { problems, count }) {
  for (const problem of problems) console.error(problem);
  if (count === 0) console.error(`check-layers: found no ${what} at all`);
  if (problems.length > 0 || count === 0) process.exitCode = 1;
  else console.log(`check-layers: ${count} ${what}, all references go down`);
}

const [option, directory] = process.argv.slice(2);
if (option === '--self-test') {
  selfTest();
} else {
  const root = relative('.', join(dirname(fileURLToPath(import.meta.url)), '..')) || '.';
  report('sources', checkSources(root));
  if (option === '--objects') report('object files', checkObjects(directory));
}
