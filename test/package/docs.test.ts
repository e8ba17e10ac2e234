import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript-5';
import { root } from '../js/support';

const inModule = (file: string) => file.replace(/\.ts$/, '.mts');
const entries = ['index', 'prometheus'].map((name) => join(root, 'types', `${name}.d.ts`));
const program = ts.createProgram([...entries, ...entries.map(inModule)], {
  module: ts.ModuleKind.NodeNext,
  types: ['node'],
});
const checker = program.getTypeChecker();

/** A declaration that users see, and how they would call it: `Heap.alloc`. */
interface Public {
  name: string;
  node: ts.Declaration;
}

const textOf = (node: ts.Node) => ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).at(-1);

const tagsOf = (node: ts.Node) => ts.getJSDocTags(node).map((tag) => tag.tagName.text);

const isHidden = (node: ts.Declaration) =>
  tagsOf(node).includes('internal') ||
  (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0 ||
  ts.getNameOfDeclaration(node)?.kind === ts.SyntaxKind.PrivateIdentifier;

function exportsOf(file: string): Public[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile);
  return checker.getExportsOfModule(module as ts.Symbol).flatMap((symbol) => {
    const { flags } = symbol;
    const own = flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return (own.declarations ?? []).map((node) => ({ name: symbol.name, node }));
  });
}

const exported = () => entries.flatMap(exportsOf);

/** What the exported classes and interfaces have; each overload by itself. */
function members(): Public[] {
  return exported().flatMap(({ name, node }) => {
    if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return [];
    const all: readonly ts.Declaration[] = node.members;
    return all
      .filter((member) => !isHidden(member) && !isErrorConstructor(name, member))
      .map((member) => ({
        name: `${name}.${ts.getNameOfDeclaration(member)?.getText() ?? 'constructor'}`,
        node: member,
      }));
  });
}

/** Users catch errors of these classes, they do not make any. */
const isError = (name: string) => name.endsWith('Error');
const isErrorConstructor = (name: string, member: ts.Declaration) =>
  isError(name) && ts.isConstructorDeclaration(member);

const isCallable = (node: ts.Node) =>
  ts.isFunctionDeclaration(node) ||
  ts.isMethodDeclaration(node) ||
  ts.isConstructorDeclaration(node);

/** Such as `[Symbol.dispose]`: the language or Node calls it. */
const isNotCalledByName = (node: ts.Declaration) =>
  ts.isComputedPropertyName(ts.getNameOfDeclaration(node) ?? node);

/** The class has the example of how one is made. */
const needsExample = (node: ts.Declaration) =>
  isCallable(node) && !ts.isConstructorDeclaration(node) && !isNotCalledByName(node);

/** Without the further overloads: what they add to the first is in one line. */
const firstOnes = (all: Public[]) =>
  all.filter(({ name }, i) => all.findIndex((other) => other.name === name) === i);

const namesOf = (all: Public[]) => all.map(({ name }) => name);

describe('what the package exports', () => {
  test('is found by this test', () => {
    expect(namesOf(exported())).toEqual(expect.arrayContaining(['Heap', 'processStats']));
    expect(namesOf(members())).toEqual(expect.arrayContaining(['Heap.alloc', 'HeapStats.blocks']));
  });

  test('is explained', () => {
    const silent = [...exported(), ...members()].filter(
      ({ node }) => !textOf(node)?.comment && !ts.isConstructorDeclaration(node),
    );
    expect(namesOf(silent)).toEqual([]);
  });

  test('is the same for import and for require', () => {
    for (const entry of entries) {
      const names = [entry, inModule(entry)].map((file) => namesOf(exportsOf(file)));
      expect(names[1]?.sort()).toEqual(names[0]?.sort());
    }
  });

  test('has an example, if it can be called', () => {
    const shown = exported().filter(
      ({ name, node }) => needsExample(node) || (ts.isClassDeclaration(node) && !isError(name)),
    );
    const called = members().filter(({ node }) => needsExample(node));
    const without = firstOnes([...shown, ...called]).filter(
      ({ node }) => !tagsOf(node).includes('example'),
    );
    expect(namesOf(without)).toEqual([]);
  });

  test('says which errors it throws, if it takes arguments', () => {
    const silent = firstOnes([...exported(), ...members()]).filter(({ node }) => {
      const takesArguments = ts.isFunctionLike(node) && node.parameters.length > 0;
      const isForUsers = isCallable(node) && !isNotCalledByName(node);
      return takesArguments && isForUsers && !tagsOf(node).includes('throws');
    });
    expect(namesOf(silent)).toEqual([]);
  });

  test('has no any', () => {
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(node.parent.getText());
      ts.forEachChild(node, visit);
    };
    const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(root));
    const own = files.filter(({ fileName }) => !fileName.includes('node_modules'));
    expect(own.length).toBeGreaterThan(4);
    own.forEach(visit);
    expect(found).toEqual([]);
  });
});
