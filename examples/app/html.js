// A template tag that escapes by default, which is the whole defence against cross-site scripting:
// whatever a visitor typed becomes text, never markup.

class Markup {
  constructor(text) {
    this.text = text
  }

  toString() {
    return this.text
  }
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** html`<p>${text}</p>`: nested html`` stays markup, lists are joined, null and false are nothing. */
export function html(strings, ...values) {
  return new Markup(String.raw({ raw: strings }, ...values.map(render)))
}

function render(value) {
  if (value === undefined || value === null || value === false) return ''
  if (value instanceof Markup) return value.text
  if (Array.isArray(value)) return value.map(render).join('')
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character])
}
