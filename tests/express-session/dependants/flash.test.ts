import type { RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { faces, requireHere, serveFace, sessionOf } from './faces.js'

type Flash = (type?: string, ...message: string[]) => unknown
const flashOf = (req: object) => (req as { flash: Flash }).flash.bind(req)

const connectFlash = requireHere('connect-flash') as () => RequestHandler
const flash = requireHere('flash') as () => RequestHandler

describe.each(faces)('connect-flash on $name', (face) => {
  const made = () =>
    serveFace(face, (app) => {
      app.use(connectFlash())
      app.post('/orders', (req, res) => {
        // With one argument it asks util.isArray, which newer Node does not have any more.
        flashOf(req)('info', 'Order %s is in.', '7')
        flashOf(req)('info', 'Thank you, %s.', 'Ada')
        res.redirect('/')
      })
      app.get('/', (req, res) => void res.json(flashOf(req)('info')))
      app.get('/quiet', (_req, res) => void res.json('nothing said'))
      app.get('/all', (req, res) => void res.json(flashOf(req)()))
    })

  it('shows messages after the redirect, once', async () => {
    const browser = (await made()).browser()
    const shown = await browser.request('/orders', { method: 'POST', redirect: 'follow' })
    expect(shown.json()).toEqual(['Order 7 is in.', 'Thank you, Ada.'])
    expect((await browser.get('/')).json()).toEqual([])
  })

  it('keeps them over pages that show none, and gives all kinds at once', async () => {
    const browser = (await made()).browser()
    await browser.post('/orders')
    await browser.get('/quiet')
    await browser.post('/orders')
    const all = { info: ['Order 7 is in.', 'Thank you, Ada.', 'Order 7 is in.', 'Thank you, Ada.'] }
    expect((await browser.get('/all')).json()).toEqual(all)
    expect((await browser.get('/all')).json()).toEqual({})
  })

  it('keeps the messages of two browsers apart', async () => {
    const app = await made()
    const [one, other] = [app.browser(), app.browser()]
    await one.post('/orders')
    expect((await other.get('/')).json()).toEqual([])
    expect((await one.get('/')).json()).toHaveLength(2)
  })
})

describe.each(faces)('flash on $name', (face) => {
  const made = () =>
    serveFace(face, (app) => {
      app.use(flash())
      app.post('/orders', (req, res) => {
        flashOf(req)('success', 'Order 7 is in.')
        // The same again is dropped by the package.
        flashOf(req)('success', 'Order 7 is in.')
        flashOf(req)('No type is a type too.')
        res.redirect('/')
      })
      // A template shows the messages and takes them away while it does.
      app.get('/', (_req, res) => {
        const { flash: messages } = res.locals as { flash: object[] }
        res.json(messages.splice(0))
      })
      app.get('/kept', (req, res) => void res.json(sessionOf(req).flash))
    })

  it('shows messages after the redirect, and what a page took away is gone', async () => {
    const browser = (await made()).browser()
    const shown = await browser.request('/orders', { method: 'POST', redirect: 'follow' })
    const messages = [
      { message: 'Order 7 is in.', type: 'success' },
      { message: 'No type is a type too.', type: 'info' },
    ]
    expect(shown.json()).toEqual(messages)
    expect((await browser.get('/')).json()).toEqual([])
  })

  it('keeps what no page has taken away, through changes within the list', async () => {
    const browser = (await made()).browser()
    await browser.post('/orders')
    expect((await browser.get('/kept')).json()).toHaveLength(2)
    expect((await browser.get('/kept')).json()).toHaveLength(2)
    expect((await browser.get('/')).json()).toHaveLength(2)
    expect((await browser.get('/kept')).json()).toEqual([])
  })
})
