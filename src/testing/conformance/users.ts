import assert from 'node:assert/strict'
import { isCoatcheckError } from '../../errors.js'
import { type ClauseTests, testWith } from './clause.js'
import { keyOf, parallel, type Trial, ticks } from './trial.js'

const KEY = keyOf("a user's record")
const DAY = 24 * 60 * 60 * 1000

// Names that some index takes for another user's, or for a pattern.
const HOSTILE_USERS = [
  ...['1', '2'].map((end) => 'a'.repeat(500) + end),
  '1',
  '01',
  '1.0',
  'ada',
  'Ada',
  'ada ',
  ' ada',
  'adä',
  'ada\0',
  'ada\n',
  'ada:1',
  'ada*',
  '*',
  '?da',
  '[a]da',
  '%',
  'a_a',
  '../ada',
  'ada/..',
  "ada'--",
  '"ada"',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'ada@example.com',
  '🧥',
  '{"$ne":null}',
  'u'.repeat(300),
]

/** S17 and S18: whose sessions there are. */
export const users: readonly ClauseTests[] = [
  {
    clause: 'S17',
    title: 'the user index knows the live keys of each user',
    tests: [
      testWith(['keysOfUser'], 'a user without sessions has no keys', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
      }),
      testWith(['keysOfUser'], 'every created key is there at once', async (t) => {
        const keys = Array.from({ length: 60 }, (_, i) => keyOf(`session ${i}`))
        await parallel(keys.length, (i) => t.store.create(keys[i]!, t.entry('{}', 'ada')))
        assert.deepEqual(await t.store.keysOfUser('ada'), keys.sort())
      }),
      testWith(['keysOfUser'], 'a replace with another user moves the key', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', 'ada'))
        await replaceBy(t, '{"n":2}', 'eve')
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
        assert.deepEqual(await t.store.keysOfUser('eve'), [KEY])
      }),
      testWith(['keysOfUser'], 'a replace without a user takes the key away', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', 'ada'))
        await replaceBy(t, '{"n":2}')
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
        await t.expectText(KEY, '{"n":2}')
      }),
      testWith(['keysOfUser'], 'a replace with a user gives an anonymous key to it', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        await replaceBy(t, '{"n":2}', 'ada')
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
      }),
      testWith(['keysOfUser'], 'a user who comes back has the key again', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', 'ada'))
        await replaceBy(t, '{"n":2}', 'eve')
        await replaceBy(t, '{"n":3}', 'ada')
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
        assert.deepEqual(await t.store.keysOfUser('eve'), [])
      }),
      testWith(['keysOfUser'], 'a renewal leaves the new key only', async (t) => {
        const renewed = keyOf('the new id')
        await t.store.create(KEY, t.entry('{"n":1}', 'ada'))
        await t.store.create(renewed, t.entry('{"n":1}', 'ada'))
        await replaceBy(t, '{"moved":true}')
        assert.deepEqual(await t.store.keysOfUser('ada'), [renewed])
      }),
      testWith(['keysOfUser'], 'a destroyed key disappears', async (t) => {
        const other = keyOf('another device')
        await t.store.create(KEY, t.entry('{}', 'ada'))
        await t.store.create(other, t.entry('{}', 'ada'))
        await t.store.destroy(KEY)
        assert.deepEqual(await t.store.keysOfUser('ada'), [other])
      }),
      testWith(['keysOfUser'], 'an expired key disappears, without any sweep', async (t) => {
        const [lasting, entry] = [keyOf('lasting'), t.entry('{}', 'ada', t.shortLife)]
        await t.store.create(KEY, entry)
        await t.store.create(lasting, t.entry('{}', 'ada', DAY))
        await t.outlive(entry.expiresAt)
        assert.deepEqual(await t.store.keysOfUser('ada'), [lasting])
      }),
      testWith(['keysOfUser'], 'a short session takes no longer one along', async (t) => {
        const [lasting, entry] = [keyOf('lasting'), t.entry('{}', 'ada', t.shortLife)]
        await t.store.create(lasting, t.entry('{}', 'ada', DAY))
        await t.store.create(KEY, entry)
        await t.outlive(entry.expiresAt)
        assert.deepEqual(await t.store.keysOfUser('ada'), [lasting])
      }),
      testWith(['keysOfUser'], 'a key whose life a replace prolonged stays', async (t) => {
        const entry = t.entry('{"n":1}', 'ada', t.shortLife)
        await t.store.create(KEY, entry)
        await replaceBy(t, '{"n":2}', 'ada')
        await t.outlive(entry.expiresAt)
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
      }),
      testWith(['keysOfUser'], 'a key used again by another user is its alone', async (t) => {
        const entry = t.entry('{}', 'ada', t.shortLife)
        await t.store.create(KEY, entry)
        await t.outlive(entry.expiresAt)
        await t.store.create(KEY, t.entry('{}', 'eve'))
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
        assert.deepEqual(await t.store.keysOfUser('eve'), [KEY])
        await t.store.destroy(KEY)
        await t.store.create(KEY, t.entry('{}'))
        assert.deepEqual(await t.store.keysOfUser('eve'), [])
      }),
      testWith(['keysOfUser'], 'users never mix, whatever their names', async (t) => {
        const accepted: string[] = []
        for (const user of HOSTILE_USERS) {
          try {
            await t.store.create(keyOf(`of ${user}`), t.entry('{}', user))
            accepted.push(user)
          } catch (error) {
            if (!isCoatcheckError(error)) throw error
          }
        }
        assert(accepted.includes('ada') && accepted.includes('ada@example.com'))
        for (const user of accepted) {
          const keys = await t.store.keysOfUser(user)
          assert.deepEqual(keys, [keyOf(`of ${user}`)], `keys of ${JSON.stringify(user)}`)
        }
        await t.store.destroy(keyOf('of ada'))
        for (const user of accepted.filter((name) => name !== 'ada')) {
          assert.equal(
            (await t.store.keysOfUser(user)).length,
            1,
            `${JSON.stringify(user)} lost it`,
          )
        }
      }),
      testWith(['keysOfUser', 'another'], 'another instance knows the same', async (t) => {
        const other = await t.another()
        await t.store.create(KEY, t.entry('{}', 'ada'))
        assert.deepEqual(await other.keysOfUser('ada'), [KEY])
        await other.destroy(KEY)
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
      }),
      testWith(['keysOfUser'], 'replaces that race leave the key with the winner', async (t) => {
        await t.store.create(KEY, t.entry('{}', 'nobody yet'))
        const seen = await t.expectText(KEY, '{}')
        const results = await parallel(10, (i) =>
          t.store.replace(KEY, t.entry(`{"by":${i}}`, `user${i}`), seen),
        )
        for (const [i, result] of results.entries()) {
          const expected = result === 'replaced' ? [KEY] : []
          assert.deepEqual(await t.store.keysOfUser(`user${i}`), expected)
        }
        assert.deepEqual(await t.store.keysOfUser('nobody yet'), [])
      }),
    ],
  },
  {
    clause: 'S18',
    title: "ending a user's sessions is complete",
    tests: [
      testWith(['keysOfUser'], 'all but the exception are gone, others stay', async (t) => {
        const keys = Array.from({ length: 20 }, (_, i) => keyOf(`session ${i}`))
        for (const key of keys) await t.store.create(key, t.entry('{}', 'ada'))
        await t.store.create(KEY, t.entry('{}', 'eve'))
        await endSessions(t, 'ada', keys[7])
        for (const key of keys.filter((key) => key !== keys[7])) await t.expectMiss(key)
        assert.deepEqual(await t.store.keysOfUser('ada'), [keys[7]])
        await t.expectText(KEY, '{}')
      }),
      testWith(['keysOfUser'], 'touches and commits in flight bring none back', async (t) => {
        const keys = Array.from({ length: 20 }, (_, i) => keyOf(`session ${i}`))
        // The widest gap leaves commits that come after the last session was ended.
        for (const gap of [0, 1, 3, 40]) {
          for (const key of keys) await t.store.create(key, t.entry('{}', 'ada'))
          const seen = await parallel(keys.length, (i) => t.expectText(keys[i]!, '{}'))
          const late = parallel(keys.length, async (i) => {
            await ticks(gap * i)
            await Promise.all([
              t.store.touch(keys[i]!, t.later(DAY)),
              t.store.replace(keys[i]!, t.entry('{"late":1}', 'ada'), seen[i]!),
            ])
          })
          await Promise.all([endSessions(t, 'ada'), late])
          for (const key of keys) await t.expectMiss(key)
          assert.deepEqual(await t.store.keysOfUser('ada'), [])
        }
      }),
      testWith(['keysOfUser'], 'a login before it is ended, one during it is known', async (t) => {
        const [before, during] = [0, 100].map((from) =>
          Array.from({ length: 20 }, (_, i) => keyOf(`login ${from + i}`)),
        ) as [string[], string[]]
        for (const key of before) await t.store.create(key, t.entry('{}', 'ada'))
        const logins = parallel(during.length, async (i) => {
          await ticks(3 * i)
          assert.equal(await t.store.create(during[i]!, t.entry('{}', 'ada')), true)
        })
        await Promise.all([endSessions(t, 'ada'), logins])
        for (const key of before) await t.expectMiss(key)
        // A login that the loop did not see any more is live, and then the index must know it.
        const live = []
        for (const key of during) if ((await t.store.load(key)) !== undefined) live.push(key)
        assert.deepEqual(await t.store.keysOfUser('ada'), live.sort())
        await endSessions(t, 'ada')
        for (const key of during) await t.expectMiss(key)
      }),
      testWith(['keysOfUser', 'another'], 'another instance can end them', async (t) => {
        const other = await t.another()
        const keys = Array.from({ length: 10 }, (_, i) => keyOf(`session ${i}`))
        await parallel(keys.length, (i) => t.store.create(keys[i]!, t.entry('{}', 'ada')))
        for (const key of await other.keysOfUser('ada')) await other.destroy(key)
        for (const key of keys) await t.expectMiss(key)
      }),
    ],
  },
]

async function replaceBy(t: Trial, text: string, user?: string): Promise<void> {
  const seen = await t.store.load(KEY)
  assert(seen !== undefined)
  assert.equal(await t.store.replace(KEY, t.entry(text, user), seen), 'replaced')
}

/** What the engine does for "log out my other devices". */
async function endSessions(t: Trial, user: string, except?: string): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const keys = (await t.store.keysOfUser(user)).filter((key) => key !== except)
    if (keys.length === 0) return
    await Promise.all(keys.map((key) => t.store.destroy(key)))
  }
  assert.fail('keysOfUser still gave keys after 100 rounds of destroying them')
}
