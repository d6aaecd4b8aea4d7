import fc from 'fast-check'

/** One change to a text; positions are fractions, so that they fit every length. */
export type Edit =
  | { readonly kind: 'cut' | 'double' | 'reverse'; readonly from: number; readonly length: number }
  | { readonly kind: 'insert' | 'put'; readonly from: number; readonly text: string }
  | { readonly kind: 'case' | 'shift' | 'widen'; readonly from: number }
  | { readonly kind: 'splice'; readonly from: number; readonly at: number }

const length = fc.constantFrom(1, 1, 2, 5, 32, 43, 100)

/**
 * @param snippets what is likely to do harm in texts of this kind
 * @param places where they are weakest, beside all others
 */
export function edits(snippets: readonly string[], places: readonly number[] = []): EditList {
  const text = fc.oneof(fc.constantFrom(...snippets), fc.string({ maxLength: 3, unit: 'binary' }))
  const anywhere = fc.integer({ min: 0, max: 999 }).map((n) => n / 1000)
  const place = places.length === 0 ? anywhere : fc.oneof(anywhere, fc.constantFrom(...places))
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.record({ kind: fc.constantFrom('cut', 'double', 'reverse'), from: place, length }),
    fc.record({ kind: fc.constantFrom('insert', 'put'), from: place, text }),
    fc.record({ kind: fc.constantFrom('case', 'shift', 'widen'), from: place }),
    fc.record({ kind: fc.constant('splice' as const), from: place, at: place }),
  )
  return fc.array(edit, { maxLength: 4 })
}

type EditList = fc.Arbitrary<Edit[]>

/** @param other what a splice takes its end from */
export function edited(text: string, other: string, changes: readonly Edit[]): string {
  return changes.reduce((now, change) => apply(now, other, change), text)
}

function apply(text: string, other: string, edit: Edit): string {
  const at = Math.floor(edit.from * (text.length + 1))
  const before = text.slice(0, at)
  switch (edit.kind) {
    case 'cut':
      return before + text.slice(at + edit.length)
    case 'double':
      return text.slice(0, at + edit.length) + text.slice(at)
    case 'reverse': {
      const part = [...text.slice(at, at + edit.length)].reverse().join('')
      return before + part + text.slice(at + edit.length)
    }
    case 'insert':
      return before + edit.text + text.slice(at)
    case 'put':
      return before + edit.text + text.slice(at + edit.text.length)
    case 'splice':
      return before + other.slice(Math.floor(edit.at * (other.length + 1)))
    default:
      return before + changed(text.slice(at, at + 1), edit.kind) + text.slice(at + 1)
  }
}

function changed(char: string, kind: 'case' | 'shift' | 'widen'): string {
  if (char === '') return ''
  if (kind === 'case') {
    return char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()
  }
  // The neighbour differs in the lowest bit; the wide one is the same once only a byte is kept.
  const code = char.charCodeAt(0)
  return String.fromCharCode(kind === 'shift' ? code ^ 1 : (code + 0x100) & 0xffff)
}
