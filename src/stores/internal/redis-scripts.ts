import { hash } from 'node:crypto'
import { refusalIn } from './redis-answers.js'
import type { RedisConnection } from './redis-client.js'
import { UNMARKED_IN_LUA } from './redis-owner.js'

/** A script that touches one key. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/**
 * Gives the text and what is left of its life in ms, or nil. Drivers spend more on a second command
 * than the server does on a script.
 */
export const LOAD = scriptOf(`
local v=redis.pcall('GET',KEYS[1])
if not v or type(v)=='table' then return v end
return {v,redis.call('PTTL',KEYS[1])}`)

/**
 * Writes ARGV[2] for ARGV[3] ms if the SHA-1 of the text that is there is ARGV[1], with its mark if
 * there is an ARGV[4]. Gives 1: done, 0: another text is there, -1: none is. The old text is not
 * sent, the server has it.
 */
export const REPLACE = scriptOf(`
local v=redis.pcall('GET',KEYS[1])
if not v then return -1 end
if type(v)=='table' then if v.err and v.err:find('WRONGTYPE',1,true) then return -1 end return v end
if not ARGV[4] then ${UNMARKED_IN_LUA} end
if redis.sha1hex(v)~=ARGV[1] then return 0 end
if ARGV[3]=='0' then redis.call('DEL',KEYS[1]) else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end
return 1`)

/** Puts ARGV[2] into the set with the score ARGV[1], keeps the set for ARGV[3] ms or longer; its size. */
export const ADD = scriptOf(`
redis.call('ZADD',KEYS[1],ARGV[1],ARGV[2])
if redis.call('PTTL',KEYS[1])<tonumber(ARGV[3]) then redis.call('PEXPIRE',KEYS[1],ARGV[3]) end
return redis.call('ZCARD',KEYS[1])`)

/** Takes members out of the set whose score is what it was; ARGV: member, score, member, score, … */
export const PRUNE = scriptOf(`
for i=1,#ARGV,2 do
local s=redis.call('ZSCORE',KEYS[1],ARGV[i])
if s and tonumber(s)==tonumber(ARGV[i+1]) then redis.call('ZREM',KEYS[1],ARGV[i]) end
end
return 1`)

function scriptOf(text: string): Script {
  const source = text.trim()
  return { source, sha: hash('sha1', source) }
}

/** By its hash; as a whole where the server has not got it: a new one, or after SCRIPT FLUSH. */
export async function runScript(
  connection: RedisConnection,
  script: Script,
  key: string,
  args: readonly string[],
): Promise<unknown> {
  try {
    return await connection.send(key, ['EVALSHA', script.sha, '1', key, ...args])
  } catch (error) {
    // It has not run, so nothing is done twice.
    if (refusalIn(error) !== 'NOSCRIPT') throw error
    return await runWhole(connection, script, key, args)
  }
}

/** In one step whatever the server knows, for a script that has to run before the next command. */
export function runWhole(
  connection: RedisConnection,
  script: Script,
  key: string,
  args: readonly string[],
): Promise<unknown> {
  return connection.send(key, ['EVAL', script.source, '1', key, ...args])
}
