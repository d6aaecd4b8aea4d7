// The frame of every page. `view` is { user, csrf, path }: who is signed in, the token for forms,
// and where we are.
import { html } from '../html.js'

/** A whole document, as a string. */
export function layout({ title, view = {}, body }) {
  return `<!doctype html>\n${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Coatcheck</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
  <div class="top-row">
    <a class="brand" href="/"><img src="/favicon.svg" alt="" width="36" height="36">Coatcheck</a>
    <nav class="links" aria-label="Pages">
      ${link(view, '/', 'Home')}
      ${link(view, '/users', 'Guests')}
      ${view.user && link(view, '/devices', 'My devices')}
    </nav>
    ${view.user ? signedIn(view) : link(view, '/session/new', 'Sign in', 'button small')}
  </div>
</header>
<main id="content">${body}</main>
<footer>
  <p>An example of Coatcheck, sessions for Node and Express. Its code is in <code>examples/app</code>.</p>
</footer>
</body>
</html>`}\n`
}

/** A form for a request that changes something: the token, and the method HTML has no word for. */
export function form({ view, action, method = 'POST', attributes = '', body }) {
  return html`<form method="post" action="${action}"${attributes}>
  <input type="hidden" name="_csrf" value="${view.csrf}">
  ${method !== 'POST' && html`<input type="hidden" name="_method" value="${method}">`}
  ${body}
</form>`
}

function link(view, href, text, look) {
  const here = view.path === href && html` aria-current="page"`
  return html`<a href="${href}"${look && html` class="${look}"`}${here}>${text}</a>`
}

function signedIn(view) {
  return html`<div class="who">
  <span class="who-name">${view.user.name}</span>
  ${form({
    view,
    action: '/session',
    method: 'DELETE',
    body: html`<button class="quiet small">Sign out</button>`,
  })}
</div>`
}
