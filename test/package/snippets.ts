import { readFileSync } from 'node:fs';

/** A piece of code that is shown to users. */
export interface Snippet {
  /** Where it is shown: `README.md:40`. */
  where: string;
  /** `ts`, `js`, `mjs` or `cjs`. */
  language: string;
  code: string;
}

/** The fenced blocks of a Markdown file in one of `languages`. */
export function snippetsOf(name: string, file: string, languages: string[]): Snippet[] {
  const text = readFileSync(file, 'utf8');
  const fenced = /^( *(?:\* )?)```(\w+)\n([\s\S]*?)^\1```$/gm;
  return [...text.matchAll(fenced)]
    .filter(([, , language = '']) => languages.includes(language))
    .map(({ index, 1: indent = '', 2: language = '', 3: code = '' }) => ({
      where: `${name}:${text.slice(0, index).split('\n').length}`,
      language,
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
