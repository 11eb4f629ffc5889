// What the figures to touch share. Every figure's HTML holds this and its own script inside one function,
// so that nothing leaks into the page and each figure works wherever it is put.

// An element: h('button', {onclick: f, 'aria-label': '…'}, 'text', [more, children]); null and false are left out.
const SVG = new Set(['svg', 'g', 'path', 'line', 'rect', 'text', 'circle'])
function h(tag, attributes = {}, ...children) {
  const e = SVG.has(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value)
    else if (value !== false && value != null) e.setAttribute(name, value === true ? '' : value)
  }
  e.append(...children.flat(3).filter(child => child != null && child !== false))
  return e
}
const div = (name, ...children) => h('div', {class: name}, ...children)
const hint = text => h('p', {class: 'hint'}, text)
const write = (x, y, text, name, anchor = 'start') => h('text', {x, y, class: name, 'text-anchor': anchor}, text)
// A table; the first cell of a row is its head, and a cell is a text, an element or [class, text].
function table(heads, rows) {
  const cell = (content, i) => Array.isArray(content) ? h('td', {class: content[0]}, content[1])
    : h(i ? 'td' : 'th', {scope: i ? null : 'row'}, content)
  return h('table', {}, h('thead', {}, h('tr', {}, heads.map(text => text ? h('th', {scope: 'col'}, text) : h('td')))),
    h('tbody', {}, rows.map(row => h('tr', {}, row.map(cell)))))
}
const scrolling = (label, ...children) => h('div', {class: 'wide', tabindex: 0, role: 'region', 'aria-label': label}, ...children)
// A part of the figure, of that class; where the figure is narrow it is folded, until somebody opens it.
function fold(root, name, summary, ...children) {
  const head = h('summary', {}, summary), element = h('details', {class: `fold ${name}`}, head, children)
  let wide = null   // there the summary isn't shown
  new ResizeObserver(() => {
    const now = getComputedStyle(head).display == 'none'
    if (now != wide) element.open = wide = now
  }).observe(root)
  return element
}

// A number for reading: four digits, a real minus sign.
function number(x, digits = 4) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'NaN' : x > 0 ? '∞' : '−∞'
  const size = Math.abs(x)
  const text = size && (size < 1e-3 || size >= 1e5) ? x.toExponential(Math.max(1, digits - 2)) : String(+x.toPrecision(digits))
  return text.replaceAll('-', '−').replace('e+', 'e')
}
const power = v => v ? '10' + String(v).replace(/./g, c => c == '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[c]) : '1'   // of ten, for axes
const titles = options => Object.fromEntries(Object.entries(options).map(([key, option]) => [key, option.title]))

// Controls, each with its label. `choose` takes {value: text}.
const button = (text, onclick, attributes = {}) => h('button', {type: 'button', onclick, ...attributes}, text)
function choose(label, options, value, onchange) {
  const list = Object.entries(options).map(([key, text]) => h('option', {value: key, selected: key == value}, text))
  return h('label', {}, h('span', {}, label), h('select', {onchange: e => onchange(e.target.value)}, list))
}
// A slider that says its value; `marks`, {value: text}, stand under the track where they belong.
function slider(label, attributes, oninput, show = String, marks = {}) {
  const now = h('b'), {min, max} = attributes
  const input = h('input', {type: 'range', ...attributes, oninput: () => { say(); oninput(+input.value) }})
  const say = () => { now.textContent = show(+input.value); input.setAttribute('aria-valuetext', now.textContent) }
  const mark = ([value, text]) => h('span', {style: `--at: ${(value - min) / (max - min)}`}, text)
  say()
  return {element: h('label', {class: 'grow'}, h('span', {}, label + ' ', now), input,
    marks != null && Object.keys(marks).length ? h('span', {class: 'marks', 'aria-hidden': 'true'}, Object.entries(marks).map(mark)) : null),
    set(value, max) { if (max != null) input.max = max; input.value = value; say() }}
}
// A field for a number. What isn't one (an empty field, a lone minus) changes nothing, and the field shows the number again
// when it is left. The wheel scrolls the page, and never changes a number.
const field = (label, get, set) => h('input', {type: 'number', step: 'any', value: get(), 'aria-label': label,
  oninput: e => { if (Number.isFinite(e.target.valueAsNumber)) set(e.target.valueAsNumber) },
  onchange: e => { if (!Number.isFinite(e.target.valueAsNumber)) e.target.value = get() }, onwheel: e => e.target.blur()})
// A switch: a button that is pressed or not.
const toggle = (text, on, onchange) => button(text, e => {
  onchange(on = !on)
  e.target.setAttribute('aria-pressed', on)
}, {'aria-pressed': String(on)})

// What is said about the step that is shown. Screen readers say it too, but not while it plays.
function speaker() {
  const element = h('p', {class: 'say', 'aria-live': 'polite'})
  return {element, quiet: on => element.setAttribute('aria-live', on ? 'off' : 'polite'), set: text => { element.textContent = text }}
}
// Call `tick` again and again until it returns false, is stopped, or the figure has left the page.
function loop(root, tick, wait, changed) {
  let timer = null
  const stop = () => { clearTimeout(timer); timer = null; changed(false) }
  const turn = () => { if (root.isConnected && tick() !== false) timer = setTimeout(turn, wait()); else stop() }
  return {stop, get running() { return timer != null }, start() { if (timer == null) { timer = setTimeout(turn); changed(true) } }}
}
// Back, Step, Play, Reset and a slider. `count()` is the number of steps, `show()` draws the state after `steps.step` of them.
// Playing takes `by` steps at a time, every `wait` milliseconds.
function player(root, count, show, live, first = 0, {by = 1, wait = null} = {}) {
  const at = slider('Step', {min: 0, max: count(), value: first}, t => { run.stop(); go(t) }, t => `${t} of ${count()}`)
  const play = button('Play', () => {
    if (run.running) return run.stop()
    if (steps.step == count()) go(0)
    run.start()
  }, {class: 'main'})
  const run = loop(root, () => { go(steps.step + by); return steps.step < count() }, () => wait ?? Math.max(250, Math.min(900, 6000 / count())),
    on => { play.textContent = on ? 'Pause' : 'Play'; live.quiet(on) })
  const go = t => { steps.step = Math.max(0, Math.min(count(), t)); at.set(steps.step, count()); show() }
  const move = by => () => { run.stop(); go(steps.step + by) }
  const keys = {ArrowLeft: move(-1), ArrowRight: move(1)}
  const onkeydown = e => { if (e.target.matches('button') && keys[e.key]) { e.preventDefault(); keys[e.key]() } }
  const steps = {step: first, go, element: h('div', {class: 'row player', onkeydown}, button('Back', move(-1)), button('Step', move(1)), play,
    button('Reset', move(-Infinity)), at.element)}
  return steps
}

// Axes for lines: ticks are {position: text}. Returns the SVG, its scales, and `line` to draw into it.
function axes({width, height, x, y, xTicks, yTicks, xLabel, label}) {
  const [left, bottom, right] = [44, height - 34, width - 8]
  const X = v => left + (v - x[0]) / (x[1] - x[0]) * (right - left)
  const Y = v => bottom - (Math.max(y[0], Math.min(y[1], v)) - y[0]) / (y[1] - y[0]) * (bottom - 8)
  const svg = h('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label},
    Object.entries(yTicks).map(([v, text]) => [h('line', {class: 'grid', x1: left, x2: right, y1: Y(+v), y2: Y(+v)}),
      write(left - 6, Y(+v) + 4, text, '', 'end')]),
    Object.entries(xTicks).map(([v, text]) => write(X(+v), bottom + 16, text, '', 'middle')),
    write((left + right) / 2, height - 3, xLabel, '', 'middle'))
  const line = (points, stroke, name = '') => svg.append(h('path', {class: `curve ${name}`, stroke,
    d: 'M' + points.filter(([, b]) => !Number.isNaN(b)).map(([a, b]) => `${X(a).toFixed(1)},${Y(b).toFixed(1)}`).join('L')}))
  return {svg, X, Y, line}
}
// Draw again when the place for a drawing has another width: drawings are in the page's own pixels, so text keeps its size.
function watch(place, draw) {
  new ResizeObserver(() => { if (place.firstChild?.getAttribute('width') != place.clientWidth) draw() }).observe(place)
}

// Whatever carries a name (data-name) answers to the pointer and to the focus: all that carries the same name is lit with it.
// Text and figure answer each other, too. In the text stands <span data-figure="backward_pass" data-ref="w2[1]">…</span>, and a
// ref without an index, w2, stands for all of that name.
const marks = root => document.querySelectorAll(`[data-figure="${root.dataset.kind}"][data-ref]`)
function light(root, name) {
  const same = (a, b) => a == b || a.startsWith(b + '[') || b.startsWith(a + '[')
  for (const e of [...root.querySelectorAll('[data-name]'), ...marks(root)]) e.classList.toggle('lit', name != null && same(e.dataset.name ?? e.dataset.ref, name))
}
function link(root) {
  const lit = e => light(root, /out$/.test(e.type) ? null : e.target.closest?.('[data-name]')?.dataset.name)
  for (const type of ['pointerover', 'pointerout', 'focusin', 'focusout']) root.addEventListener(type, lit)
}
// Call show(ref) while the pointer or the focus is on such a mark in the text, or after a tap on it, and show(null) when it is left.
function answer(root, show = name => light(root, name)) {
  const gone = new AbortController()   // with its figure: another one may have come in its place
  const heard = e => {
    if (!root.isConnected) return gone.abort()
    const mark = e.target.closest?.('[data-figure][data-ref]')
    if (mark?.dataset.figure == root.dataset.kind) show(/out$/.test(e.type) ? null : mark.dataset.ref)
  }
  for (const type of ['pointerover', 'pointerout', 'focusin', 'focusout', 'click']) document.addEventListener(type, heard, {signal: gone.signal})
  const found = () => { for (const mark of marks(root)) mark.tabIndex = 0 }
  if (document.readyState == 'loading') addEventListener('DOMContentLoaded', found); else found()
}
// Call f once before the next picture, however often it is asked for until then.
function soon(f) {
  let asked = null
  const call = () => { asked = null; f() }
  return {ask() { asked ??= requestAnimationFrame(call) }, now() { if (asked != null) { cancelAnimationFrame(asked); call() } }}
}

// Call f once the figure is nearly in sight: what takes long doesn't hold up the page.
const near = (root, f) => new IntersectionObserver((seen, observer) => { if (seen.some(e => e.isIntersecting)) { observer.disconnect(); f() } },
  {rootMargin: '600px'}).observe(root)

// Paint a canvas patch by patch, row after row: f gives a colour and how opaque it is.
function paint(canvas, f) {
  const c = canvas.getContext('2d'), {width, height} = canvas
  c.clearRect(0, 0, width, height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) { [c.fillStyle, c.globalAlpha] = f(x, y); c.fillRect(x, y, 1, 1) }
}
const ink = (root, name) => getComputedStyle(root).getPropertyValue(name)   // the colour of that name, for a canvas

// Random numbers that are the same in every browser: mulberry32, and from it normal numbers (Box and Muller).
function random(seed) {
  const uniform = () => {
    seed = seed + 0x6D2B79F5 | 0
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 2**32
  }
  return {uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())}
}

// Bring figures of this kind to life: all on the page that aren't yet, so the same figure may stand there twice.
function bring(kind, build) {
  for (const root of document.querySelectorAll(`.fastlesson[data-kind="${kind}"]:not([data-ready])`)) {
    root.dataset.ready = ''
    const figure = build(root, JSON.parse(root.dataset.options))
    root.replaceChildren(div('title', root.getAttribute('aria-label')), ...figure.view)
    root.addEventListener('keydown', e => e.stopPropagation())   // a notebook must not take our keys for its own
    root.fastlesson = figure   // for tests, and for the curious: $0.fastlesson.state in the browser's console
    figure.draw()
  }
}
