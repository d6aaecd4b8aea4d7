import { describe, expect, it } from 'vitest'
import { derivedName, isStorable, quoteName } from '../../../src/stores/internal/sql-identifier.js'
import { ownerOf } from '../../../src/stores/internal/sql-user-index.js'

describe('names in SQL', () => {
  it('are quoted with their quotes doubled', () => {
    expect(quoteName('a"b`c')).toBe('"a""b`c"')
    expect(quoteName('a"b`c', '`')).toBe('`a"b``c`')
  })

  it('of what belongs to a table fit, and are those of no other table', () => {
    expect(derivedName('session', 'by_user', 63)).toBe('session_by_user')
    const long = ['ü'.repeat(31), `${'ü'.repeat(30)}x`, `x${'ü'.repeat(30)}`]
    const names = long.map((table) => derivedName(table, 'by_user', 63))
    expect(new Set(names).size).toBe(3)
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).toMatch(/^\w*ü+_[0-9a-f]{12}_by_user$/)
    }
  })
})

describe('texts in SQL', () => {
  it('can hold anything but NUL and halves of characters', () => {
    expect(['', 'a', '🧥', '\u001f', '\ufffd'].every(isStorable)).toBe(true)
    expect(['\0', 'a\0', '\ud83e', '\udde5a', '\udde5\ud83e'].some(isStorable)).toBe(false)
  })

  it('name a user, or stand for one whose name is none for a table', () => {
    expect(ownerOf('ada@example.com')).toBe('ada@example.com')
    const odd = [
      'u'.repeat(256),
      'u'.repeat(257),
      'a\0',
      '\ud83e',
      '\ud83d',
      'sha256:x',
      '\ufffd\0',
    ]
    const owners = odd.map(ownerOf)
    expect(new Set(owners).size).toBe(odd.length)
    for (const owner of owners) expect(owner).toMatch(/^sha256:[0-9a-f]{64}$/)
  })
})
