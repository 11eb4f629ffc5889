// The digit reader: what is drawn, as the network sees it, and everything that the network makes of it: 784 → 50 → 10.

const SIDE = 28, PEN = 1.15, MIDDLE = 14   // of the image; half the pen's width; where MNIST puts the centre of mass, all in pixels
const EXAMPLES = [   // strokes of x, y in a square of 100; their corners are cut twice (Chaikin), which makes handwriting of them
  [[50, 8, 28, 20, 22, 50, 30, 80, 50, 92, 70, 80, 78, 50, 70, 20, 50, 8]], [[58, 8, 42, 92]],
  [[24, 28, 34, 12, 54, 8, 72, 18, 72, 36, 56, 56, 24, 90, 40, 88, 78, 90]], [[26, 16, 50, 8, 70, 20, 66, 38, 46, 47, 70, 58, 76, 76, 54, 92, 24, 84]],
  [[58, 8, 20, 62, 82, 62], [64, 36, 62, 92]], [[74, 10, 34, 10, 30, 44, 54, 40, 74, 54, 72, 78, 50, 92, 24, 84]],
  [[66, 8, 40, 28, 26, 60, 34, 86, 56, 92, 72, 76, 64, 58, 44, 56, 29, 70]], [[22, 12, 78, 12, 60, 44, 46, 92]],
  [[68, 20, 48, 8, 30, 22, 40, 40, 62, 54, 72, 74, 52, 92, 30, 78, 38, 58, 60, 42, 68, 20]], [[70, 34, 52, 46, 32, 36, 34, 16, 54, 8, 70, 20, 70, 34, 66, 64, 58, 92]]]
const mix = (p, q, t) => p.map((v, i) => v + t * (q[i] - v))
const cut = list => [list[0], ...list.slice(1).flatMap((q, i) => [mix(list[i], q, .25), mix(list[i], q, .75)]), list.at(-1)]
const points = flat => cut(cut(flat.flatMap((v, i) => i % 2 ? [] : [[v / 100, flat[i + 1] / 100]])))

// The image of some strokes, as MNIST's were made: the ink scaled to 20 × 20 and its centre of mass put in the middle.
// A pixel is inked by how near its centre lies to a stroke.
function raster(strokes, zoom, dx, dy) {
  const image = new Float64Array(SIDE * SIDE)
  for (const stroke of strokes) for (let s = 0; s < Math.max(1, stroke.length - 1); s++) {
    const [ax, ay] = stroke[s].map((v, i) => v * zoom + [dx, dy][i]), [bx, by] = (stroke[s + 1] ?? stroke[s]).map((v, i) => v * zoom + [dx, dy][i])
    const length = (bx - ax) ** 2 + (by - ay) ** 2
    const from = Math.max(0, Math.floor(Math.min(ay, by) - 2)), to = Math.min(SIDE - 1, Math.ceil(Math.max(ay, by) + 2))
    for (let y = from; y <= to; y++) for (let x = 0; x < SIDE; x++) {
      const t = length ? Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) : 0
      const far = Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)), ink = Math.max(0, Math.min(1, PEN + .5 - far))
      if (ink > image[y * SIDE + x]) image[y * SIDE + x] = ink
    }
  }
  return image
}
function centred(strokes) {
  const all = strokes.flat(), side = i => all.map(p => p[i]), span = i => Math.max(...side(i)) - Math.min(...side(i))
  const zoom = (20 - 2 * PEN) / Math.max(span(0), span(1), .15)   // a dot isn't blown up to a disc
  const [dx, dy] = [0, 1].map(i => MIDDLE - zoom * (Math.max(...side(i)) + Math.min(...side(i))) / 2)
  const once = raster(strokes, zoom, dx, dy), sum = once.reduce((a, b) => a + b)
  const mass = f => once.reduce((total, v, i) => total + v * f(i), 0) / sum
  return raster(strokes, zoom, dx + MIDDLE - mass(i => i % SIDE), dy + MIDDLE - mass(i => Math.floor(i / SIDE)))
}

// Matrices come as whole numbers from −127 to 127 and what one of them is worth.
function unpack({w, scale, b}) {
  const bytes = Int8Array.from(atob(w), c => c.charCodeAt(0))
  return {w: Float64Array.from(bytes, v => v * scale), b, m: b.length}
}
const linear = (x, {w, b, m}) => b.map((bias, j) => x.reduce((sum, v, i) => sum + v * w[i * m + j], bias))
const product = (one, two) => ({   // the one layer that two layers are without ReLU
  m: two.m, b: linear(one.b, two),
  w: Float64Array.from({length: SIDE * SIDE * two.m}, (_, at) => linear(one.w.subarray(Math.floor(at / two.m) * one.m, (Math.floor(at / two.m) + 1) * one.m),
    {w: two.w, b: two.b.map(() => 0), m: two.m})[at % two.m])})
function softmax(z) {
  const top = Math.max(...z), e = z.map(v => Math.exp(v - top)), sum = e.reduce((a, b) => a + b)
  return e.map(v => v / sum)
}

bring('digit_reader', (root, {first, second, mean, std, digit, inside}) => {
  const layers = [unpack(first), unpack(second)], state = {strokes: [], drawn: false, relu: true, unit: null, inside}
  let single = null   // made when it is first asked for: 0.4 million products
  function read() {
    const {strokes} = state, image = strokes.length ? centred(strokes) : new Float64Array(SIDE * SIDE)
    const x = image.map(v => (v - mean) / std), z = linear(x, layers[0]), hidden = z.map(v => state.relu ? Math.max(0, v) : v)
    const logits = linear(hidden, layers[1]), probabilities = softmax(logits)
    Object.assign(state, {image, x, z, hidden, logits, probabilities, digit: probabilities.indexOf(Math.max(...probabilities)),
      one: state.relu ? null : linear(x, single ??= product(...layers))})
  }

  // The pad. Its square is 100 wide, and a stroke is drawn as wide as the network will see it, more or less.
  const pad = h('svg', {class: 'pad', viewBox: '0 0 100 100', role: 'img', tabindex: 0})
  const part = v => Math.max(0, Math.min(1, v))   // what leaves the pad runs along its edge: all that is read can be seen
  const at = e => { const box = pad.getBoundingClientRect(); return [part((e.clientX - box.left) / box.width), part((e.clientY - box.top) / box.height)] }
  let stroke = null
  pad.addEventListener('pointerdown', e => {
    if (!e.isPrimary || e.button) return   // one finger draws, and one button
    if (!state.drawn) state.strokes = []
    state.drawn = true
    live.quiet(true)
    state.strokes.push(stroke = [at(e)])
    pad.setPointerCapture(e.pointerId)
    later.ask()
    e.preventDefault()
  })
  pad.addEventListener('pointermove', e => { if (stroke && e.isPrimary) { stroke.push(...(e.getCoalescedEvents?.() ?? [e]).map(at)); later.ask() } })
  for (const type of ['pointerup', 'pointercancel']) pad.addEventListener(type, e => { if (stroke && e.isPrimary) { stroke = null; live.quiet(false); later.ask() } })
  const show = d => { Object.assign(state, {strokes: d == null ? [] : EXAMPLES[d].map(points), drawn: d == null}); draw() }
  pad.addEventListener('keydown', e => {
    if (e.key >= '0' && e.key <= '9' && !e.ctrlKey && !e.metaKey) show(+e.key)
    if (e.key == 'Delete' || e.key == 'Backspace') { show(null); e.preventDefault() }
  })

  const seen = h('canvas', {width: SIDE, height: SIDE, role: 'img'}), bars = div('bars')
  const units = h('div', {class: 'units-50', role: 'group', 'aria-label': 'The fifty hidden units'})
  const weights = h('canvas', {width: SIDE, height: SIDE, role: 'img'}), about = h('p', {class: 'hint about'}), live = speaker()
  const squares = layers[0].b.map((_, j) => units.appendChild(inside ? button('', () => { state.unit = j; draw() }, {class: 'unit'}) : h('span', {class: 'unit'})))
  if (inside) units.addEventListener('keydown', e => {
    const by = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10}[e.key]
    if (by == null) return
    state.unit = (state.unit + by + 50) % 50
    draw()
    squares[state.unit].focus()
    e.preventDefault()
  })
  const formula = h('code'), rows = [...'0123456789'].map(d => bars.appendChild(div('bar', h('b', {}, d), h('i', {}, h('span')), h('em'))))

  function draw() {
    read()
    const {strokes, hidden, z, probabilities, logits, unit} = state, black = ink(root, 'color')
    formula.textContent = state.relu ? 'relu(x @ w1 + b1)' : 'x @ w1 + b1'
    const path = s => 'M' + [...s, s[0]].slice(0, s.length + (s.length == 1)).map(p => p.map(v => (100 * v).toFixed(1))).join('L')   // a dot has two ends
    pad.replaceChildren(...(strokes.length ? strokes.map(s => h('path', {d: path(s)})) : [write(50, 54, 'draw a digit here', '', 'middle')]))
    pad.setAttribute('aria-label', `${strokes.length ? 'What is drawn' : 'An empty field to draw in'}. Keys 0 to 9 choose an example, Delete clears.`)
    paint(seen, (x, y) => [black, state.image[y * SIDE + x]])
    seen.setAttribute('aria-label', 'The image as the network sees it: 28 by 28 pixels')
    const most = Math.max(1, ...hidden.map(Math.abs))
    squares.forEach((e, j) => {
      const v = strokes.length ? hidden[j] / most : 0
      e.style.setProperty('--on', Math.abs(v).toFixed(2))
      e.classList.toggle('below', v < 0)
      if (inside) { e.setAttribute('aria-pressed', j == unit); e.tabIndex = j == unit ? 0 : -1; e.setAttribute('aria-label', `Unit ${j}: ${number(hidden[j], 3)}`) }
    })
    rows.forEach((e, d) => {
      const p = strokes.length ? probabilities[d] : .1
      e.style.setProperty('--p', p.toFixed(4))
      e.classList.toggle('top', strokes.length && d == state.digit)
      e.lastChild.textContent = inside ? number(logits[d], 3) : `${Math.round(100 * p)} %`
    })
    live.set(!strokes.length ? 'Nothing is drawn yet.'
      : `It reads ${state.digit == 8 ? 'an' : 'a'} ${state.digit} with probability ${Math.round(100 * probabilities[state.digit])} %.`)
    if (!inside) return
    const column = i => layers[0].w[i * 50 + unit], largest = Math.max(...Array.from({length: SIDE * SIDE}, (_, i) => Math.abs(column(i))))
    const [blue, orange] = [ink(root, '--blue'), ink(root, '--orange')]
    paint(weights, (x, y) => { const w = column(y * SIDE + x); return [w > 0 ? blue : orange, Math.abs(w) / largest] })
    weights.setAttribute('aria-label', `The 784 weights of unit ${unit}: blue positive, orange negative`)
    const off = state.one && Math.max(...logits.map((v, d) => Math.abs(v - state.one[d])))
    about.textContent = `Unit ${unit} adds up 784 products and its bias: ${number(z[unit], 3)}. ` + (state.relu ? `ReLU makes that ${number(hidden[unit], 3)}.`
      : `Without ReLU, one layer with weights W₁W₂ gives the same ten logits, within ${number(off, 1)}.`)
  }
  const later = soon(draw)
  state.strokes = EXAMPLES[digit].map(points)
  read()
  state.unit = state.hidden.indexOf(Math.max(...state.hidden))
  // Each stage with its line of code and, outside the lesson that opens it up, the lesson that derives it
  const stage = (title, name, inner, code, lesson) => div('stage-of ' + name, h('b', {}, title), inner, code instanceof Node ? code : code && h('code', {}, code),
    lesson && !inside && hint(lesson))
  return {state, draw, show, view: [div('stage', live.element, div('reader' + (inside ? ' open' : ''),
    stage('You draw', '', pad), stage('28 × 28 pixels', '', seen, '(x - mean) / std', 'lesson 0'),
    stage('50 hidden units', 'wide-units', units, formula, 'lessons 1 to 3'),
    stage(inside ? 'Logits, softmax' : '10 probabilities', '', bars, inside ? 'l2 @ w2 + b2' : 'softmax(l2 @ w2 + b2)', 'lesson 9'),
    inside ? [stage('Its weights', '', weights, 'w1[:, unit]'), about] : null)),
  div('row examples', [...'0123456789'].map(d => button(d, () => show(+d), {'aria-label': `Example ${d}`})), button('Clear', () => show(null)),
    inside ? toggle('ReLU', true, on => { state.relu = on; draw() }) : null)]}
})
