import { read } from './docs.js'

/** What the sources declare and the pages must tell. Read as text: types leave nothing at run time. */

/** The members of a union of string literals. */
export function union(path: string, type: string): string[] {
  return literals(part(read(path), `export type ${type} =`, '\n\n'))
}

/** The strings of a `const … = new Set([…])`. */
export function stringSet(path: string, name: string): string[] {
  return literals(part(read(path), `const ${name} = new Set([`, '])'))
}

/** The members of an interface at its top level, each with the text that declares it. */
export function members(path: string, type: string): Map<string, string> {
  const body = withoutComments(part(read(path), `export interface ${type}`, '\n}'))
  const found = new Map<string, string>()
  for (const declaration of body.split(/\n(?= {2}['\w])/).slice(1)) {
    const name = /^ {2}'?([\w-]+)'?\??:/.exec(declaration)?.[1]
    if (name !== undefined) found.set(name, declaration)
  }
  return found
}

/** The entries of a `const … = { KEY: value, … }` of numbers. */
export function numbers(path: string, name: string): Map<string, number> {
  const body = part(read(path), `const ${name}`, '\n}')
  const entries = body.matchAll(/^ {2}(\w+): (\d+),$/gm)
  return new Map([...entries].map(([, key, value]) => [key!, Number(value)]))
}

function literals(text: string): string[] {
  return [...withoutComments(text).matchAll(/'([^']+)'/g)].map(([, literal]) => literal!)
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

function part(text: string, begin: string, end: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`The sources have no "${begin}" any more.`)
  return text.slice(from + begin.length, to)
}
