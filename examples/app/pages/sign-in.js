// The sign-in form, also with what went wrong.
import { html } from '../html.js'
import { DEMO_ACCOUNTS } from '../users.js'
import { form, layout } from './layout.js'

/** `login` is what was typed before, `problem` why it did not work. */
export function signInPage(view, { login = '', problem } = {}) {
  const wrong = problem && html` aria-invalid="true" aria-describedby="problem"`
  const fields = html`
  ${problem && html`<p class="problem" id="problem" role="alert">${problem}</p>`}
  <label for="login">Name</label>
  <input id="login" name="login" value="${login}" autocomplete="username" autocapitalize="none"
    spellcheck="false" maxlength="100" required${wrong}>
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password"
    maxlength="1000" required${wrong}>
  <button>Sign in</button>`

  const body = html`
<div class="narrow">
  <h1>Sign in</h1>
  ${form({ view, action: '/session', attributes: html` class="card fields"`, body: fields })}
  <aside class="hint" aria-labelledby="demo">
    <h2 id="demo">Two guests to try it with</h2>
    <dl>
      ${DEMO_ACCOUNTS.map(
        ({ login, password }) =>
          html`<div><dt><code>${login}</code></dt><dd><code>${password}</code></dd></div>`,
      )}
    </dl>
  </aside>
</div>`
  return layout({ title: problem ? 'Sign in: please try again' : 'Sign in', view, body })
}
