// The counter, on a ticket.
import { ticketNumber } from '../device.js'
import { html } from '../html.js'
import { DEMO_ACCOUNTS } from '../users.js'
import { layout } from './layout.js'

const [demo] = DEMO_ACCOUNTS

/** What the session remembers, and what to try next. `isKept`: the house has it, not the visitor. */
export function homePage(view, { views, sessionId, isKept }) {
  const body = html`
<section class="ticket" aria-labelledby="greeting">
  <div class="ticket-body">
    <h1 id="greeting">${view.user ? html`Good to see you, ${view.user.name}` : 'Good to see you, stranger'}</h1>
    <p class="count"><strong data-testid="views">${views}</strong> ${views === 1 ? 'visit' : 'visits'} to this page</p>
    <p class="muted">${
      view.user
        ? html`You are signed in as ${view.user.name}. This ticket is how the server knows.`
        : 'You are not signed in. The count hangs on this ticket all the same.'
    }</p>
  </div>
  <div class="ticket-stub">
    <span class="ticket-label">Ticket</span>
    <span class="ticket-number" data-testid="ticket">${ticketNumber(sessionId)}</span>
    <span class="ticket-note">keep it safe</span>
  </div>
</section>

<section class="prose">
  <h2>Try it</h2>
  <ol class="steps">
    <li><strong>Load this page again.</strong> The count goes up; the ticket stays the same.</li>
    ${
      view.user
        ? html`<li><strong>Close the browser and restart the server.</strong> Come back: you are still ${view.user.name}.</li>
    ${
      isKept &&
      html`<li><strong>Sign in with a second browser,</strong> then look at <a href="/devices">my devices</a> and send it away.</li>`
    }
    <li><strong>Sign out.</strong> ${
      isKept
        ? 'The ticket is void at once, also in tabs that are still open.'
        : 'This browser forgets the ticket, in every tab.'
    }</li>`
        : html`<li><strong><a href="/session/new">Sign in</a></strong> as <code>${demo.login}</code> with the password <code>${demo.password}</code>. The count comes along, and the ticket gets a new number${isKept && ': an old copy of it opens nothing'}.</li>
    <li><strong>Close the browser and restart the server.</strong> Come back: you are still signed in.</li>`
    }
  </ol>
</section>

<section class="prose">
  <h2>How it works</h2>
  <p>${
    isKept
      ? `You hand in your coat and get a ticket. The ticket is a cookie with a number nobody can guess;
  the coat is what the server remembers about you until you come back.`
      : `The ticket is a cookie, and here your coat is in it too: what the server remembers about you,
  sealed so that nobody can change it.`
  } This is all the code the counter needs:</p>
  <pre><code>req.session.views = (req.session.views ?? 0) + 1</code></pre>
</section>`
  return layout({ title: 'Home', view, body })
}
