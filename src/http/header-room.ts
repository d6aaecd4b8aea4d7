import { maxHeaderSize } from 'node:http'
import type { RequestLike } from './secure-request.js'

/** For the address, where the visitor came from, and what other requests say that this one does not. */
const RESERVE = 1024

/** As much of that as cookies may take which nobody has meant to stay beside each other. */
export const SPARE = RESERVE / 2

interface NodeRequest extends RequestLike {
  readonly httpVersionMajor?: number
  readonly socket?: { readonly server?: { readonly maxHeaderSize?: number } }
}

/**
 * How many bytes the server takes for the cookies of a session, beside what its visitor sends with
 * each request. Node answers 431 to more, before any handler: a visitor with such cookies could not
 * even sign out. undefined: nobody knows, or HTTP/2, which has other limits.
 *
 * @param own bytes that they have in this request
 */
export function roomForCookies(req: RequestLike, own: number): number | undefined {
  const { httpVersionMajor, socket, headers } = req as NodeRequest
  if (httpVersionMajor !== 1) return undefined
  const most = socket?.server?.maxHeaderSize ?? maxHeaderSize
  let used = 0
  for (const [name, value] of Object.entries(headers)) {
    if (name !== 'referer') used += name.length + String(value).length
  }
  return most - RESERVE - (used - own)
}
