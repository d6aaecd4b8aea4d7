/** What one `Set-Cookie` line says. Lengths and control characters are checked already. */
export interface SetCookie {
  name: string
  value: string
  /** Lower case, without a leading dot. */
  domain?: string
  /** Only when it starts with a slash; otherwise the default path counts. */
  path?: string
  /** Ms since the epoch. */
  expires?: number
  /** Seconds. */
  maxAge?: number
  secure: boolean
  httpOnly: boolean
  partitioned: boolean
  sameSite?: 'strict' | 'lax' | 'none'
}

/** Reads a line by RFC 6265bis section 5.6. Undefined: a browser ignores it as a whole. */
export function parseSetCookie(line: string): SetCookie | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 6265bis section 5.6, step 1
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return undefined
  const [pair = '', ...attributes] = line.split(';')
  const [name, value] = splitPair(pair, 'value')
  const size = Buffer.byteLength(name, 'latin1') + Buffer.byteLength(value, 'latin1')
  if (size === 0 || size > 4096) return undefined

  const cookie: SetCookie = { name, value, secure: false, httpOnly: false, partitioned: false }
  for (const attribute of attributes) {
    const [key, text] = splitPair(attribute, 'name')
    if (text.length <= 1024) readAttribute(cookie, key.toLowerCase(), text)
  }
  return cookie
}

function readAttribute(cookie: SetCookie, key: string, text: string): void {
  switch (key) {
    case 'expires': {
      const expires = parseCookieDate(text)
      if (expires !== undefined) cookie.expires = expires
      break
    }
    case 'max-age':
      if (/^-?\d+$/.test(text)) cookie.maxAge = Number(text)
      break
    case 'domain': {
      const domain = text.replace(/^\./, '').toLowerCase()
      if (domain === '') delete cookie.domain
      else cookie.domain = domain
      break
    }
    case 'path':
      if (text.startsWith('/')) cookie.path = text
      else delete cookie.path
      break
    case 'secure':
      cookie.secure = true
      break
    case 'httponly':
      cookie.httpOnly = true
      break
    case 'partitioned':
      cookie.partitioned = true
      break
    case 'samesite': {
      const mode = text.toLowerCase()
      if (mode === 'strict' || mode === 'lax' || mode === 'none') cookie.sameSite = mode
      else delete cookie.sameSite
      break
    }
  }
}

/** Splits at the first `=`; a part without one is all name or all value. */
function splitPair(part: string, alone: 'name' | 'value'): [name: string, value: string] {
  const at = part.indexOf('=')
  if (at === -1) return alone === 'name' ? [trim(part), ''] : ['', trim(part)]
  return [trim(part.slice(0, at)), trim(part.slice(at + 1))]
}

function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** The date parser of RFC 6265 section 5.1.1, which takes more forms than `Date.parse`. */
export function parseCookieDate(text: string): number | undefined {
  let time: number[] | undefined
  let day: number | undefined
  let month: number | undefined
  let year: number | undefined
  for (const token of text.split(/[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+/)) {
    const clock = /^(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)/.exec(token)
    const named = MONTHS.indexOf(token.slice(0, 3).toLowerCase())
    const number = /^\d+/.exec(token)?.[0] ?? ''
    if (time === undefined && clock !== null) time = clock.slice(1).map(Number)
    else if (day === undefined && /^\d{1,2}$/.test(number)) day = Number(number)
    else if (month === undefined && named !== -1) month = named
    else if (year === undefined && /^\d{2}(?:\d{2})?$/.test(number)) year = Number(number)
  }
  if (time === undefined || day === undefined || month === undefined || year === undefined) {
    return undefined
  }
  if (year < 100) year += year < 70 ? 2000 : 1900
  const [hour = 0, minute = 0, second = 0] = time
  if (year < 1601 || hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(Date.UTC(year, month, day, hour, minute, second))
  return date.getUTCDate() === day ? date.getTime() : undefined
}
