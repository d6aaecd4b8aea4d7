import { codeOf, type Sources, withoutComments } from './sources.js'

const MOST_LINES = 400

const VAGUE = /(?:^|[/-])(?:utils?|helpers?|common|shared|misc)(?=[/.-])/
const KEBAB = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/
/** `any` where a type stands. */
const ANY = /(?:[:<|&,(=]|=>|\b(?:as|extends|keyof|is|satisfies))\s*any\b(?!\s*[:(.])/
const DEFAULT = /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b|\bexport\s*=/
const SILENCED = /@ts-(?:ignore|nocheck|expect-error)/
const RE_EXPORTS =
  /export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s+from\s+'[^']+'|import\s+type\s+\{[^}]*\}\s+from\s+'[^']+'/g
const GLOBAL_TYPES =
  /declare\s+global\s*\{\s*(?:namespace\s+\w+\s*\{\s*(?:interface\s+\w+\s*\{\s*\}\s*)+\}\s*)?namespace\s+Express\s*\{\s*interface\s+Request\s+extends\s+\w+\s*\{\s*\}\s*\}\s*\}/

/** Entries that take another package's place: `require` gives the callable itself. */
const FACES = ['express-session/index.ts', 'cookie-session/index.ts']
const FACE =
  /import\s+\{[^}]*\}\s+from\s+'[^']+'|export\s+default\s+\w+|export\s+\{\s*\w+\s+as\s+'module\.exports'\s*\}/g

/** The one file that may say `any`, under a name of its own: programs annotate what they are given. */
const SAYS_ANY = 'express-session/anything.ts'

/** What of the rules for one file is broken, as sentences. */
export function brokenRules(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, text]) => {
    const lines = text.trimEnd().split('\n').length
    const code = codeOf(text)
    const broken: [boolean, string][] = [
      [DEFAULT.test(code) && !FACES.includes(path), 'has a default export'],
      [ANY.test(code) && path !== SAYS_ANY, 'says any'],
      [SILENCED.test(text), 'silences the compiler'],
      [VAGUE.test(path), 'has a name that says nothing'],
      [!KEBAB.test(path), 'is not in kebab-case'],
      [lines > MOST_LINES, `has ${lines} lines`],
      [/(?:^|\/)index\.ts$/.test(path) && !onlyReExports(text, path), 'is more than re-exports'],
      [
        path !== 'index.ts' && !FACES.includes(path) && /\bdeclare\s+global\b/.test(code),
        'declares globals',
      ],
    ]
    return broken.filter(([is]) => is).map(([, what]) => `${path} ${what}`)
  })
}

function onlyReExports(text: string, path: string): boolean {
  const rest = withoutComments(text).replace(RE_EXPORTS, '').replace(GLOBAL_TYPES, '')
  return (FACES.includes(path) ? rest.replace(FACE, '') : rest).trim() === ''
}
