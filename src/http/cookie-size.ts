/** What browsers keep of a cookie, name and value and attributes together (RFC 6265, section 6.1). */
export const MOST_BYTES = 4096

/** How large a Set-Cookie line is, as browsers count. */
export function sizeOf(line: string): number {
  return Buffer.byteLength(line)
}
