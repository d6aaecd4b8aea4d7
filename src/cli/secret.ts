import { randomBytes } from 'node:crypto'
import { type Command, UsageError } from './command.js'

/** As many bytes as the keys that are made of a secret. */
const SECRET_BYTES = 32

/**
 * Prints a secret for `secret` or `keys`: 32 random bytes as base64url, so that it needs no quotes
 * in a shell, in an `.env` file or in YAML. Nothing else goes to stdout, so a shell can take it from
 * there.
 */
export const secret: Command = {
  summary: 'prints a new secret, for the options secret and keys',
  async run(args, { out }) {
    if (args.length > 0) throw new UsageError('coatcheck secret takes nothing more.')
    out(newSecret())
  },
}

export function newSecret(): string {
  for (;;) {
    const made = randomBytes(SECRET_BYTES).toString('base64url')
    // A program that takes it as an argument would read an option.
    if (!made.startsWith('-')) return made
  }
}
