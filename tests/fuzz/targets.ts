import { cookieHeader } from './cookie-header.js'
import { merge, mergedRequests } from './merge.js'
import { recordGarbage, recordRoundTrip } from './record-text.js'
import { setCookie } from './set-cookie.js'
import { signatures, signedTokens } from './signatures.js'
import { strictJson } from './strict-values.js'
import type { Target } from './target.js'
import { claimGarbage, tokenGarbage, tokenRoundTrip } from './tokens.js'

/** Everything that is fuzzed in one process. What takes sockets is fuzzed by its own test. */
export const targets: readonly Target[] = [
  cookieHeader,
  signedTokens,
  signatures,
  tokenRoundTrip,
  tokenGarbage,
  claimGarbage,
  recordRoundTrip,
  recordGarbage,
  strictJson,
  merge,
  mergedRequests,
  setCookie,
]
