import { generateKeyPairSync, sign } from 'node:crypto'
import express from 'express'
import { serve } from '../../support/serve.js'

// Made once: it takes longer than a test.
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * An issuer of OpenID Connect on this machine, which signs everybody in as Ada: discovery, the code
 * flow, a token signed with RS256 and the key to check it with.
 */
export async function serveIssuer(clientId: string): Promise<{ origin: string }> {
  const nonces = new Map<string, unknown>()
  let codes = 0
  const app = express()
  app.use(express.urlencoded({ extended: false }))

  app.get('/.well-known/openid-configuration', (_req, res) => {
    res.json({
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      jwks_uri: `${origin}/jwks`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    })
  })
  app.get('/jwks', (_req, res) => {
    const key = { ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' }
    res.json({ keys: [key] })
  })
  app.get('/authorize', (req, res) => {
    const code = `code-${++codes}`
    nonces.set(code, req.query.nonce)
    const answer = new URLSearchParams({ code, state: String(req.query.state) })
    res.redirect(`${req.query.redirect_uri}?${answer}`)
  })
  app.post('/token', (req, res) => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: origin,
      aud: clientId,
      sub: 'ada',
      nickname: 'Countess',
      nonce: nonces.get(req.body.code),
      iat: now,
      exp: now + 3600,
    }
    const text = `${base64url({ alg: 'RS256', kid: 'one' })}.${base64url(claims)}`
    const signature = sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')
    res.json({
      access_token: 'a-token',
      token_type: 'Bearer',
      expires_in: 3600,
      id_token: `${text}.${signature}`,
    })
  })
  const { origin } = await serve(app)
  return { origin }
}
