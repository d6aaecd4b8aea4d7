// What a visitor sees when something is missing or broken. Never what broke: that is in the log.
import { html } from '../html.js'
import { layout } from './layout.js'

const WORDS = {
  403: [
    'This form is out of date',
    'You may have signed in or out in another tab since. Go back, load the page again and repeat it.',
  ],
  404: ['Nothing hangs here', 'There is no page at this address.'],
  413: ['That coat is too heavy', 'The form sent more than this server takes.'],
  503: ['The cloakroom is not answering', 'Your coat is safe. Please try again in a moment.'],
}
const BAD_REQUEST = ['That did not make sense', 'The browser sent something we could not read.']
const BROKEN = ['Something fell off its hook', 'It is our fault, not yours. Please try again.']

/** The page for an HTTP status. */
export function errorPage(status, view) {
  const [heading, text] = WORDS[status] ?? (status < 500 ? BAD_REQUEST : BROKEN)
  const body = html`
<div class="narrow">
  <p class="status" aria-hidden="true">${status}</p>
  <h1>${heading}</h1>
  <p class="lead">${text}</p>
  <p><a class="button" href="/">Back to the start</a></p>
</div>`
  return layout({ title: heading, view, body })
}
