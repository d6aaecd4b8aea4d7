// A page for signed-in visitors only.
import { html } from '../html.js'
import { layout } from './layout.js'

/** Everybody with an account. */
export function usersPage(view, users) {
  const body = html`
<h1>Guests of the house</h1>
<p class="lead">You see this page because you are signed in as <strong>${view.user.name}</strong>.</p>
<ul class="rows">
  ${users.map(
    (user) => html`<li class="card row">
    <span class="tag" aria-hidden="true">${user.id}</span>
    <div class="row-text"><strong>${user.name}</strong><span class="muted">${user.login}</span></div>
    ${user.id === view.user.id && html`<span class="badge">You</span>`}
  </li>`,
  )}
</ul>`
  return layout({ title: 'Guests', view, body })
}
