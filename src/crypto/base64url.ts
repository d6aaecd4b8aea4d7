/**
 * The bytes of base64url text (RFC 4648, section 5); undefined: it is not the one way to write them.
 * Of several texts for the same bytes only one may be good: tokens are compared as texts.
 */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

export function toBase64url(bytes: Buffer | string): string {
  return (typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes).toString('base64url')
}
