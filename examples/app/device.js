// What to call a device and a ticket on a page.
import { createHash } from 'node:crypto'

// Order matters: Edge, Opera and Samsung's browser also call themselves Chrome, and Chrome calls
// itself Safari.
const BROWSERS = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(HeadlessChrome|Chrome|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
]
const SYSTEMS = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'Mac'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]

/** "Firefox on Linux" for a User-Agent. A guess: the header is whatever the client wants to say. */
export function deviceName(userAgent = '') {
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1] ?? 'Unknown browser'
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1]
  return system ? `${browser} on ${system}` : browser
}

/**
 * A four-digit number for the ticket on the page. `session.id` is a public name, not the secret in
 * the cookie, so it may be shown; it changes when the secret changes.
 */
export function ticketNumber(sessionId) {
  const digest = createHash('sha256').update(sessionId).digest()
  return String(digest.readUInt32BE(0) % 10_000).padStart(4, '0')
}
