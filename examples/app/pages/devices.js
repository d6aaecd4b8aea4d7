// Every place where the user is signed in, each with a button that ends it.
import { ticketNumber } from '../device.js'
import { html } from '../html.js'
import { form, layout } from './layout.js'

/** `devices` is what `sessions.list(user)` gave. */
export function devicesPage(view, { devices, thisId, now }) {
  const current = devices.filter((device) => device.id === thisId)
  const others = devices
    .filter((device) => device.id !== thisId)
    .sort((a, b) => b.lastSeenAt - a.lastSeenAt)

  const body = html`
<h1>My devices</h1>
<p class="lead">Every ticket in your name. If you do not know one, send it away: it is void from its
next request on.</p>
<ul class="rows">
  ${[...current, ...others].map((device) => row(view, device, device.id === thisId, now))}
</ul>
${
  others.length > 0
    ? form({
        view,
        action: '/devices',
        method: 'DELETE',
        body: html`<button>Sign out all other devices</button>`,
      })
    : html`<p class="muted">You are signed in nowhere else. Try it with a second browser.</p>`
}`
  return layout({ title: 'My devices', view, body })
}

/** The same where nobody keeps a list. */
export function thisDeviceOnlyPage(view) {
  const body = html`
<h1>My devices</h1>
<p class="lead">You carry your coat yourself: your session is in the cookie of this browser, and
this house keeps no list of visitors.</p>
<p class="muted">So other devices are not shown here, and each signs out for itself. Started without
<code>STORE</code>, the house keeps the coats and shows every ticket in your name.</p>`
  return layout({ title: 'My devices', view, body })
}

function row(view, device, isThis, now) {
  const name = device.data.device ?? 'Unknown device'
  const number = ticketNumber(device.id)
  return html`<li class="card row" data-testid="device">
  <span class="tag"><span class="hidden">Ticket </span>${number}</span>
  <div class="row-text">
    <strong>${name}</strong>
    <span class="muted facts">
      <span>Signed in ${time(device.authenticatedAt ?? device.createdAt, now)}</span>
      <span>${isThis ? 'Here now' : html`Last seen ${time(device.lastSeenAt, now)}`}</span>
    </span>
  </div>
  ${
    isThis
      ? html`<span class="badge">This device</span>`
      : form({
          view,
          action: `/devices/${encodeURIComponent(device.id)}`,
          method: 'DELETE',
          body: html`<button class="quiet small" aria-label="Sign out ${name}, ticket ${number}">Sign out</button>`,
        })
  }
</li>`
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]

/** "5 minutes ago", with the exact time for machines and for the pointer that rests on it. */
function time(at, now) {
  const date = new Date(at).toISOString()
  return html`<time datetime="${date}" title="${date}">${ago(now - at)}</time>`
}

function ago(elapsed) {
  const unit = UNITS.find(([, ms]) => elapsed >= ms)
  if (!unit) return 'just now'
  const [name, ms] = unit
  return new Intl.RelativeTimeFormat('en').format(-Math.floor(elapsed / ms), name)
}
