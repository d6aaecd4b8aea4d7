import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The text of a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Every page of the repository, by its path from the root. */
export function pages(): string[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'))
  const inFolders = ['docs', 'examples', 'benchmarks'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )
  return [...top, ...inFolders].map((path) => path.replaceAll('\\', '/')).sort()
}

/** A fenced block of a page. */
export interface CodeBlock {
  readonly language: string
  /** The line of its first line of code, counted from 1. */
  readonly line: number
  readonly code: string
}

export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)(`{3,})(\S*)/.exec(lines[at]!)
    if (fence === null) continue
    const [, indent = '', ticks = '', language = ''] = fence
    const start = at + 1
    do at++
    while (at < lines.length && lines[at]!.trim() !== ticks)
    const code = lines.slice(start, at).map((line) => line.slice(indent.length))
    blocks.push({ language, line: start + 1, code: code.join('\n') })
  }
  return blocks
}

/** A page without its fenced blocks, line for line. */
export function prose(markdown: string): string {
  let fenced = false
  const kept = markdown.split('\n').map((line) => {
    const isFence = /^ *```/.test(line)
    if (isFence) fenced = !fenced
    return isFence || fenced ? '' : line
  })
  return kept.join('\n')
}

export interface Module {
  /** Its path, in a folder named by the page. */
  readonly file: string
  readonly code: string
}

/**
 * The blocks marked `ts` of a page as modules. A block that imports begins a module; one that does
 * not goes on from the block before. A first line such as `// map-store.ts` names the module, for
 * another one to import. Each line keeps its number, so an error names the line of the page.
 */
export function modulesOf(page: string): Module[] {
  const folder = page.replace(/\.md$/, '').replaceAll('/', '-')
  const modules: { name: string; lines: string[] }[] = []
  for (const { language, line, code } of codeBlocks(read(page))) {
    if (language !== 'ts') continue
    if (modules.length === 0 || /^import /m.test(code)) {
      const name = /^\/\/ (\S+\.ts)$/m.exec(code)?.[1] ?? `${modules.length + 1}.ts`
      modules.push({ name, lines: [] })
    }
    const { lines } = modules.at(-1)!
    while (lines.length < line - 1) lines.push('')
    lines.push(...code.split('\n'))
  }
  return modules.map(({ name, lines }) => ({
    file: `${folder}/${name}`,
    code: `${lines.join('\n')}\nexport {}\n`,
  }))
}

export interface Row {
  readonly name: string
  readonly cells: readonly string[]
}

/** The table rows of a page whose first cell is one name in code style, and their other cells. */
export function rowsOf(markdown: string): Row[] {
  return prose(markdown)
    .split('\n')
    .flatMap((line) => {
      const [, first = '', ...cells] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
      const name = /^`([^`]+)`$/.exec(first)?.[1]
      return name === undefined ? [] : [{ name, cells: cells.slice(0, -1) }]
    })
}

/** The anchors of a page, as hosting sites make them from its headings. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>()
  for (const [, heading = ''] of prose(markdown).matchAll(/^#+ (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-')
    let unique = slug
    for (let n = 1; found.has(unique); n++) unique = `${slug}-${n}`
    found.add(unique)
  }
  return found
}
