import type { Mutation } from './mutation.js'

const store = 'src/stores/redis.ts'
const owner = 'src/stores/internal/redis-owner.ts'
const index = 'src/stores/internal/redis-user-index.ts'
const client = 'src/stores/internal/redis-client.ts'
const scripts = 'src/stores/internal/redis-scripts.ts'
const scan = 'src/stores/internal/redis-scan.ts'
const options = 'src/stores/internal/redis-store-options.ts'
const failures = 'src/stores/internal/redis-error.ts'
const answers = 'src/stores/internal/redis-answers.ts'
const fast = 'tests/stores/redis.test.ts'
const setups = 'tests/servers/stores/redis-setups.test.ts'

/** Records on a Redis server. */
export const redis: readonly Mutation[] = (
  [
    {
      without: 'a load by one command',
      file: store,
      find: 'await runScript(this.#connection, LOAD, name, [])',
      put: "await Promise.all([this.#connection.send(name, ['EXISTS', name]), runScript(this.#connection, LOAD, name, [])]).then((both) => both[1])",
      named: 'one command for a load',
    },
    {
      without: 'NX',
      file: store,
      find: "'PX', String(life), 'NX']",
      put: "'PX', String(life)]",
      named: 'on a live key',
    },
    {
      without: 'lives that are whole ms',
      file: store,
      find: 'Math.max(Math.ceil(Math.min(expiresAt, LAST_MOMENT) - now), 0)',
      put: 'Math.max(Math.min(expiresAt, LAST_MOMENT) - now, 0)',
      named: 'nothing that lives for ever',
    },
    {
      without: 'lives that a server can count',
      file: store,
      find: 'Math.min(expiresAt, LAST_MOMENT) - now',
      put: 'expiresAt - now',
      named: 'nothing that lives for ever',
    },
    {
      without: 'a removal by a touch to the past',
      file: store,
      find: "life === 0 ? ['DEL', name] : ['PEXPIRE'",
      put: "life < 0 ? ['DEL', name] : ['PEXPIRE'",
      named: 'a removal for a life that is over',
    },
    {
      without: 'taking a record without an end for live',
      file: store,
      find: '(life === -1 ? LIFE_WITHOUT_END : life)',
      put: 'life',
      named: 'a record without an end',
    },
    {
      without: 'taking what is no string for a miss',
      file: store,
      find: "if (refusalIn(error) !== 'WRONGTYPE') throw error",
      put: 'throw error',
      named: 'what is no string as a miss',
    },
    {
      without: 'noting the user before the record',
      file: store,
      find: 'if (!this.#connection.inOrder) await noted',
      put: '',
      named: 'are noted before the record',
    },
    {
      without: 'noting the user and writing the record in one wait',
      file: store,
      find: 'if (!this.#connection.inOrder) await noted',
      put: 'await noted',
      named: 'are noted in the same wait',
    },
    {
      without: 'knowing that a user is noted',
      file: store,
      find: 'if (seen?.version === owner.mark) {',
      put: 'if (seen === undefined) {',
      named: 'are not noted again',
    },
    {
      without: 'keeping sets of users where nobody knows when a record ends',
      file: store,
      find: 'if (endsAt === undefined) this.#users',
      put: 'if (endsAt !== undefined) this.#users',
      named: 'are kept as long as one of their records can live',
    },
    {
      without: 'leaving sets of users out of the records',
      file: store,
      find: 'page.filter((key) => !(this.#prefix + key).startsWith(this.#indexPrefix))',
      put: 'page',
      named: 'no sets of users among its records',
    },
    {
      without: 'marking whose a record is',
      file: owner,
      find: 'if (owner !== undefined) return text + owner.mark',
      put: 'if (owner !== undefined) return text',
      named: 'every created key is there at once',
    },
    {
      without: 'a mark for texts that end as if they had one',
      file: owner,
      find: 'return endsMarked(text) ? text + NOBODY : text',
      put: 'return text',
      named: 'come back exactly where they end as if they were marked',
    },
    {
      without: 'white space alone in a mark',
      file: owner,
      find: "const SIGNS = ' \\t\\n\\r'",
      put: "const SIGNS = ' \\t\\nx'",
      named: 'and somebody’s with white space behind them',
    },
    {
      without: 'looking at the record of an entry',
      file: index,
      find: 'if (marks[i] === owner.mark) theirs.add(entry[0])',
      put: "if (marks[i] !== 'nobody') theirs.add(entry[0])",
      named: 'a destroyed key disappears',
    },
    {
      without: 'an age before which no entry is taken out',
      file: index,
      find: '> TOO_YOUNG_TO_PRUNE)',
      put: '> -1)',
      named: 'lose what is dead when they are asked for',
    },
    {
      without: 'tidying up now and then',
      file: index,
      find: 'if (size < SMALL || random() * size >= LOOKS_PER_WRITE) return',
      put: 'if (size >= 0) return',
      named: 'do not grow with what has ended',
    },
    {
      without: 'hearing of a failure to tidy up',
      file: index,
      find: 'this.keysOf(owner).catch(onError)',
      put: 'this.keysOf(owner).catch(() => {})',
      named: 'tell of a failure to tidy up',
    },
    {
      without: 'a script that runs whatever the server knows',
      file: index,
      find: 'await runWhole(connection, ADD, this.#setOf(owner), args)',
      put: 'await connection.send(this.#setOf(owner), ["EVALSHA", ADD.sha, "1", this.#setOf(owner), ...args]).catch(() => runWhole(connection, ADD, this.#setOf(owner), args))',
      named: 'are noted in the same wait',
    },
    {
      without: 'a set that is kept a day longer',
      file: index,
      find: 'endsAt - now + MARGIN',
      put: 'endsAt - now',
      named: 'are kept as long as one of their records can live',
    },
    {
      without: 'the source of a script that the server has not got',
      file: scripts,
      find: "if (refusalIn(error) !== 'NOSCRIPT') throw error",
      put: 'throw error',
      named: 'only where it is not known',
    },
    {
      without: 'repeating only what was not done',
      file: scripts,
      find: "if (refusalIn(error) !== 'NOSCRIPT') throw error",
      put: '',
      named: 'no failed replace again',
    },
    {
      without: 'remembering what entries has given',
      file: scan,
      find: '        if (seen.get(key)) continue\n',
      put: '',
      named: 'every record once',
    },
    {
      without: 'escaping a prefix in a pattern',
      file: scan,
      find: "text.replace(/[\\\\*?[\\]]/g, '\\\\$&')",
      put: 'text',
      test: setups,
      named: 'works by redis6',
    },
    {
      without: 'what a client puts before keys',
      file: scan,
      find: 'const whole = keyPrefix + prefix',
      put: 'const whole = prefix',
      named: 'keys without what an ioredis client puts before them',
    },
    {
      without: 'reading from masters',
      file: client,
      find: 'cluster.sendCommand(key, false, args)',
      put: 'cluster.sendCommand(key, true, args)',
      named: 'one command for a load, by a nodeRedisCluster',
    },
    {
      without: 'telling a pool from a client',
      file: client,
      find: "inOrder: !hasMethod(given, 'execute')",
      put: 'inOrder: true',
      named: 'are noted before the record',
    },
    {
      without: 'the other face of a client in its legacy mode',
      file: client,
      find: "options?.legacyMode === true && 'v4' in given",
      put: 'options === undefined',
      test: setups,
      named: 'works by redis4legacy',
    },
    {
      without: 'a start of its own for each command of a sentinel client',
      file: client,
      find: '    started = started.then(turns)\n',
      put: '',
      named: 'two loads by one connection of a sentinel client',
    },
    {
      without: 'saying that a client is closed',
      file: failures,
      find: '  const hint = isClosed\n',
      put: '  const hint = false\n',
      named: 'say of a closed',
    },
    {
      without: 'telling a refusal from silence',
      file: failures,
      find: "outcome: refusal === undefined ? 'unknown' : 'failed'",
      put: "outcome: 'failed'",
      named: 'name why',
    },
    {
      without: 'the words of Glide',
      file: answers,
      find: 'return RENAMED[quoted] ?? quoted',
      put: 'return quoted',
      named: 'name why',
    },
    {
      without: 'refusing a prefix for users that begins with that of records',
      file: options,
      find: 'indexPrefix.startsWith(prefix) || prefix.startsWith(indexPrefix)',
      put: "indexPrefix === ''",
      named: 'are checked',
    },
    {
      without: 'refusing the options of connect-redis',
      file: options,
      find: '=== undefined) continue\n',
      put: '!== null) continue\n',
      named: 'are checked',
    },
    {
      without: 'telling the store how long a session can last',
      file: 'src/core/records.ts',
      find: '      ...(endsAt === undefined ? {} : { endsAt }),\n',
      put: '',
      test: 'tests/core/store-keeper.test.ts',
      named: 'when a record ends at the latest',
    },
  ] satisfies (Omit<Mutation, 'rule' | 'test'> & { test?: string })[]
).map((mutation) => ({ rule: 'B40', test: fast, ...mutation }))
