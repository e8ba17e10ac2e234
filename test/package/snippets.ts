import { readFileSync } from 'node:fs';

/** A piece of code that is shown to users. */
export interface Snippet {
  /** Where it is shown: `README.md:40`. */
  where: string;
  code: string;
}

/** The blocks of TypeScript in a Markdown file, or in the comments of a TypeScript file. */
export function snippetsOf(name: string, file: string): Snippet[] {
  const text = readFileSync(file, 'utf8');
  const fenced = /^( *(?:\* )?)```ts\n([\s\S]*?)^\1```$/gm;
  return [...text.matchAll(fenced)].map(({ index, 1: indent = '', 2: code = '' }) => ({
    where: `${name}:${text.slice(0, index).split('\n').length}`,
    code: code
      .split('\n')
      .map((line) => line.slice(indent.length))
      .join('\n'),
  }));
}

/** What a snippet says that it prints: the comment behind each `console.log`. */
export function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map(([, text = '']) => text);
}
