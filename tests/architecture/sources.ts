/** Source texts by their path below `src`, such as `core/store.ts`. */
export type Sources = Readonly<Record<string, string>>

export interface Import {
  readonly from: string
  readonly specifier: string
  readonly typeOnly: boolean
}

const COMMENT = String.raw`\/\*[\s\S]*?\*\/|\/\/[^\n]*`
const STRING = String.raw`'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"`
const TEMPLATE = '`(?:\\\\.|[^`\\\\])*`'
// Only where an expression begins; elsewhere the slash divides.
const REGEXP = String.raw`(?<=[=(,:!&|?[{;]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/`
const TOKENS = new RegExp(`${COMMENT}|${REGEXP}|${STRING}|${TEMPLATE}`, 'g')

/** The text without comments; quoted texts stay. */
export function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (/^\/[/*]/.test(token) ? ' ' : token))
}

/** The code alone: no comments, and nothing in quotes. */
export function codeOf(text: string): string {
  return text.replace(TOKENS, (token) => (/^\/[/*]/.test(token) ? ' ' : "''"))
}

const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:(?:[\w*\s{},$]|\bas\s+'[^']+')+?\bfrom\s+)?'([^']+)'|\bimport\s*\(\s*'([^']+)'/g

/** What a file imports or re-exports, also for its types alone. */
export function importsOf(from: string, text: string): Import[] {
  return [...withoutComments(text).matchAll(STATEMENT)].map(([statement, type, fixed, dynamic]) => {
    const named = /\{([^}]*)\}/.exec(statement)?.[1]?.split(',') ?? []
    const names = named.map((name) => name.trim()).filter((name) => name !== '')
    const onlyTypes = names.length > 0 && names.every((name) => name.startsWith('type '))
    return { from, specifier: (fixed ?? dynamic)!, typeOnly: type !== undefined || onlyTypes }
  })
}

/** The path below `src` that a relative specifier of `from` leads to; undefined: a package. */
export function targetOf({ from, specifier }: Import): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return new URL(specifier, `file:///${from}`).pathname.slice(1).replace(/\.js$/, '.ts')
}
