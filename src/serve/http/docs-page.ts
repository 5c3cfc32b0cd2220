/** The page at /docs: shows /openapi.json and lets one try each route. It asks nothing but this server. */
export const DOCS_PAGE = /* html */ `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>API</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
  details { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; margin: .75rem 0; padding: .5rem .9rem }
  summary { cursor: pointer } summary b { display: inline-block; min-width: 3.6em } summary code { overflow-wrap: anywhere } code, pre, output { font-family: ui-monospace, monospace; font-size: .875rem }
  label { display: block; margin: .5rem 0 } textarea { display: block; box-sizing: border-box; width: 100% } input, textarea { font: inherit; max-width: 100% } button { font: inherit; padding: .25rem .9rem }
  output { display: block; white-space: pre-wrap; overflow-wrap: anywhere; margin-top: .6rem } table { border-spacing: 0 } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
</style>
<main id="routes">
<h1 id="heading">API</h1>
<p>From <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<noscript><p>To try the routes here takes JavaScript; that file tells of them, too.</p></noscript>
</main>
<script type="module">
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children)
  return element
}
const unanswered = ({ message }) => 'No answer (' + message + '). Is the server still running?'
try {
  const api = await (await fetch('openapi.json')).json()
  document.title = heading.textContent = 'API of ' + api.info.title
  const operations = Object.entries(api.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => route(path, method, operation)))
  routes.append(...(operations.length ? operations : [make('p', { textContent: 'There are no routes.' })]))
} catch (error) {
  routes.append(make('p', { textContent: unanswered(error) }))
}

function route(path, method, { summary = '', parameters = [], requestBody, responses = {} }) {
  const form = make('form')
  for (const { name, in: place, description = '' } of parameters) {
    const input = make('input', { name, required: place === 'path' })
    input.dataset.place = place
    form.append(make('label', {}, make('code', { textContent: name }), ' ', input, ' ' + description))
  }
  const [type, { schema, example } = {}] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const json = type === 'application/json' ? make('textarea', { rows: 6, value: example ? JSON.stringify(example, null, 2) : '' }) : null
  if (json) form.append(make('label', {}, make('code', { textContent: 'body' }), ' ', json))
  else
  for (const [name, { format }] of Object.entries(schema?.properties ?? {})) {
    const input = make('input', { name, type: format === 'binary' ? 'file' : 'text' })
    input.dataset.place = 'body'
    form.append(make('label', {}, make('code', { textContent: name }), ' ', input))
  }
  const answer = make('output')
  form.append(make('button', { textContent: 'Send' }), answer)
  form.onsubmit = async (event) => {
    event.preventDefault()
    answer.textContent = '…'
    const body = new FormData()
    const query = new URLSearchParams()
    let url = path
    for (const input of form.querySelectorAll('input')) {
      const { place } = input.dataset
      const value = input.type === 'file' ? input.files[0] : input.value
      if (!value) continue
      if (place === 'path') url = url.replace('{' + input.name + '}', encodeURIComponent(value))
      else if (place === 'query') query.set(input.name, value)
      else body.append(input.name, value)
    }
    const began = performance.now()
    try {
      const response = await fetch('.' + url + (query.size ? '?' + query : ''), { method: method.toUpperCase(), ...(json ? { headers: { 'content-type': type }, body: json.value } : type ? { body } : {}) })
      const text = await response.text()
      let shown = text
      try { shown = JSON.stringify(JSON.parse(text), null, 2) } catch {}
      answer.textContent = response.status + ' ' + response.statusText + ', ' + Math.round(performance.now() - began) + ' ms\\n' + shown
    } catch (error) {
      answer.textContent = unanswered(error)
    }
  }
  const rows = Object.entries(responses).map(([code, { description = '' }]) =>
    make('tr', {}, make('td', { textContent: code }), make('td', { textContent: description })))
  return make('details', {},
    make('summary', {}, make('b', { textContent: method.toUpperCase() }), make('code', { textContent: path }), ' ' + summary),
    make('table', {}, ...rows), form)
}
</script>
</html>
`
