import assert from 'node:assert/strict'
import { hasCode, isCoatcheckError } from '../../errors.js'
import { type ClauseTest, type ClauseTests, test, testWith } from './clause.js'
import { keyOf, type Trial } from './trial.js'

// Pairs that some backend takes for the same: files and MySQL fold case and accents, MySQL pads
// with spaces, C ends at NUL, paths are normalised, long names are cut.
const HOSTILE_KEYS = [
  '',
  ' ',
  '.',
  '..',
  '../escape',
  '../../escape',
  'escape',
  './plain',
  'plain/',
  'plain/.',
  'plain ',
  ' plain',
  'PLAIN',
  'pläin',
  'pla\u0308in',
  '/plain',
  'a/b/c',
  'a\\b\\c',
  'C:plain',
  'CON',
  'plain\0',
  'plain\0more',
  '\0',
  'plain\r\n',
  'plain\r\nset other 0 0 1\r\n1',
  'plain\n',
  'plain\t',
  '\x7f\x1b[2J',
  "'; DROP TABLE sessions; --",
  '"',
  '`',
  '\\',
  "\\'",
  '*',
  'p*',
  '?????',
  'pl[a-z]in',
  '%',
  'pl_in',
  'p%n',
  '{plain}',
  'sess:plain',
  ':plain',
  'plain:',
  '$where',
  'plain.text',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '日本語',
  '🧥',
  '\u202eplain',
  '%2e%2e%2fplain',
  '%00',
  'x'.repeat(250),
  'x'.repeat(251),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(4096),
  `${'x'.repeat(4095)}y`,
]

const EXACT_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['an empty object', '{}'],
  ['unicode', '{"name":"Zoë Ångström","city":"東京","rtl":"\u202eשלום"}'],
  ['unicode beyond 16 bits', '{"coat":"🧥","family":"👩‍👩‍👧","rare":"𠜎"}'],
  ['composed and decomposed accents', '{"nfc":"\u00e9","nfd":"e\u0301"}'],
  ['separators that JSON allows raw', '{"ls":"\u2028","ps":"\u2029","bom":"\ufeff"}'],
  ['escapes', '{"quote":"\\"","slash":"\\/","back":"\\\\","tab":"\\t","crlf":"\\r\\n"}'],
  [
    'backslashes and quotes for SQL',
    `{"a":"\\\\' OR 1=1 --","b":"\\\\\\"; DROP TABLE x","c":"%s ?$1"}`,
  ],
  ['keys that objects have already', '{"__proto__":{"admin":true},"constructor":1,"toString":2}'],
  ['keys of a session object', '{"cookie":{"a":1},"id":"x","save":true,"user":"y"}'],
  ['numbers no double holds', '{"big":12345678901234567890,"exact":0.1000000000000000055}'],
  ['repeated keys, odd order and spaces', '{ "b" : 1,"a":2 , "b":3 }'],
  ['deep nesting', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`],
]

const ODD_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['U+0000 in a JSON escape', '{"nul":"a\\u0000b"}'],
  ['a lone surrogate in a JSON escape', '{"lone":"\\ud800"}'],
  ['a raw NUL', 'a\0b'],
  ['the empty text', ''],
  ['spaces around', ' {"n":1} '],
  ['line breaks around and within', '\r\n{"n":\n1}\r\n'],
  ['text that is not JSON', 'not JSON at all: \\x00 %00 <b>'],
  ['a text like a number', '007'],
  ['a text like null', 'null'],
]

/** S14 and S15: what keys and texts may hold. */
export const keysAndTexts: readonly ClauseTests[] = [
  {
    clause: 'S14',
    title: 'hostile keys do no harm',
    tests: [
      ...HOSTILE_KEYS.map((key) =>
        test(`the key ${shown(key)} makes a round trip or is refused`, (t) => tryKey(t, key)),
      ),
      test('no two hostile keys are taken for one', async (t) => {
        const accepted: string[] = []
        for (const key of HOSTILE_KEYS) {
          const created = await orRefused(() => t.store.create(key, t.entry(textOf(key))))
          if (created !== REFUSED) accepted.push(key)
        }
        for (const key of accepted) {
          const stored = await t.store.load(key)
          assert.equal(stored?.text, textOf(key), `the record of ${shown(key)} is another's`)
        }
        const [destroyed, kept] = [accepted.slice(0, 20), accepted.slice(20)]
        for (const key of destroyed) assert.equal(await t.store.destroy(key), true)
        for (const key of kept) {
          assert.equal((await t.store.load(key))?.text, textOf(key), `${shown(key)} was destroyed`)
        }
      }),
      testWith(['entries'], 'entries gives hostile keys as they are', async (t) => {
        const accepted: string[] = []
        for (const key of HOSTILE_KEYS) {
          if ((await orRefused(() => t.store.create(key, t.entry('{}')))) !== REFUSED) {
            accepted.push(key)
          }
        }
        const keys = (await t.store.entries()).map((entry) => entry.key)
        assert.deepEqual(keys.sort(), accepted.sort())
      }),
    ],
  },
  {
    clause: 'S15',
    title: 'texts come back exactly',
    tests: [
      ...EXACT_TEXTS.map(([name, text]) =>
        test(`with ${name}`, async (t) => {
          assert.equal(await tryText(t, text), 'kept', 'the text was refused')
        }),
      ),
      ...ODD_TEXTS.map(([name, text]) =>
        test(`or are refused by a typed error: ${name}`, async (t) => {
          await tryText(t, text)
        }),
      ),
      test('at the largest size the store promises, in bytes', async (t) => {
        // Two bytes a character and a size that no page or buffer divides.
        const text = JSON.stringify({ pad: 'é'.repeat(Math.floor((t.maxText - 10) / 2)) })
        assert(Buffer.byteLength(text) <= t.maxText)
        assert.equal(await tryText(t, text), 'kept', `${t.maxText} bytes were refused`)
      }),
      test('or are too large, which ERR_RECORD_TOO_LARGE tells and nothing changes', async (t) => {
        const [key, taken] = [keyOf('too large'), keyOf('grown too large')]
        const text = JSON.stringify({ pad: 'x'.repeat(Math.max(2 * 1024 * 1024, t.maxText + 1)) })
        await t.store.create(taken, t.entry('{"n":1}'))
        const seen = await t.expectText(taken, '{"n":1}')
        const created = await orTooLarge(() => t.store.create(key, t.entry(text)))
        const replaced = await orTooLarge(() => t.store.replace(taken, t.entry(text), seen))
        if (created === REFUSED) await t.expectMiss(key)
        else await t.expectText(key, text)
        await t.expectText(taken, replaced === REFUSED ? '{"n":1}' : text)
      }),
      testOfSurvivingReplace(),
    ],
  },
]

const REFUSED = Symbol('refused by a typed error')

/** A whole life under a hostile key, between neighbours that must not notice. */
async function tryKey(t: Trial, key: string): Promise<void> {
  const neighbours = ['plain', keyOf('neighbour')]
  for (const near of neighbours) await t.store.create(near, t.entry(textOf(near)))

  const entry = t.entry('{"n":1}')
  const created = await orRefused(() => t.store.create(key, entry))
  if (created === REFUSED) {
    // Refused once, refused always, or simply not there.
    const loaded = await orRefused(() => t.store.load(key))
    assert(loaded === REFUSED || loaded === undefined)
    const touched = await orRefused(() => t.store.touch(key, entry.expiresAt))
    assert(touched === REFUSED || touched === false)
    const destroyed = await orRefused(() => t.store.destroy(key))
    assert(destroyed === REFUSED || destroyed === false)
  } else {
    assert.equal(created, true)
    const seen = await t.expectText(key, '{"n":1}')
    assert.equal(await t.store.create(key, entry), false)
    assert.equal(await t.store.touch(key, t.later(60_000)), true)
    assert.equal(await t.store.replace(key, t.entry('{"n":2}'), seen), 'replaced')
    await t.expectText(key, '{"n":2}')
    assert.equal(await t.store.destroy(key), true)
    await t.expectMiss(key)
  }
  for (const near of neighbours) await t.expectText(near, textOf(near))
}

/** Creates and replaces with `text`, both exactly kept or both refused with nothing changed. */
async function tryText(t: Trial, text: string): Promise<'kept' | 'refused'> {
  const [created, replaced] = [keyOf('created'), keyOf('replaced')]
  await t.store.create(replaced, t.entry('{"n":1}'))
  const seen = await t.expectText(replaced, '{"n":1}')
  if ((await orRefused(() => t.store.create(created, t.entry(text)))) === REFUSED) {
    await t.expectMiss(created)
    const refused = await orRefused(() => t.store.replace(replaced, t.entry(text), seen))
    assert.equal(refused, REFUSED, 'create refused the text and replace took it')
    await t.expectText(replaced, '{"n":1}')
    return 'refused'
  }
  await t.expectText(created, text)
  assert.equal(await t.store.replace(replaced, t.entry(text), seen), 'replaced')
  // What was loaded must be found again by the comparison.
  const again = await t.expectText(replaced, text)
  assert.equal(await t.store.replace(replaced, t.entry('{"n":2}'), again), 'replaced')
  return 'kept'
}

function testOfSurvivingReplace(): ClauseTest {
  return test('however often they are replaced, growing and shrinking', async (t) => {
    const key = keyOf('growing')
    await t.store.create(key, t.entry('{}'))
    for (const length of [10, 50_000, 1, 70_000, 0]) {
      const seen = await t.store.load(key)
      assert(seen !== undefined)
      const text = JSON.stringify({ pad: 'ü'.repeat(Math.min(length, t.maxText / 2 - 10)) })
      assert.equal(await t.store.replace(key, t.entry(text), seen), 'replaced')
      await t.expectText(key, text)
    }
  })
}

async function orRefused<T>(run: () => Promise<T>): Promise<T | typeof REFUSED> {
  try {
    return await run()
  } catch (error) {
    if (isCoatcheckError(error)) return REFUSED
    throw error
  }
}

async function orTooLarge<T>(run: () => Promise<T>): Promise<T | typeof REFUSED> {
  try {
    return await run()
  } catch (error) {
    if (hasCode(error, 'ERR_RECORD_TOO_LARGE')) return REFUSED
    throw error
  }
}

function textOf(key: string): string {
  return JSON.stringify({ of: keyOf(key) })
}

function shown(key: string): string {
  const text = JSON.stringify(key).replace(/[^ -~]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return key.length <= 40 ? text : `of ${key.length} characters that ends in ${key.slice(-1)}`
}
