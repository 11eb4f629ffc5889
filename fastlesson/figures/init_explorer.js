// The initialisation explorer: a stack of layers h ← f(h w), width to width, with weights of standard deviation gain/√width.
// Weights are drawn once with standard deviation 1 and scaled when they are used, so moving the gain draws nothing again.

const density = z => Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI), sigmoid = z => 1 / (1 + Math.exp(-z))
// The normal distribution function: ½ + φ(z) (z + z³/3 + z⁵/(3·5) + …), a series whose terms all have one sign
function normal(z) {
  if (Math.abs(z) > 8.3) return z > 0 ? 1 : 0
  let term = z, sum = z
  for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2) sum += term *= z * z / n
  return .5 + density(z) * sum
}
const ACTIVATIONS = {   // the function, and its slope
  relu: {title: 'ReLU', f: z => z > 0 ? z : 0, slope: z => z > 0 ? 1 : 0},
  leaky_relu: {title: 'leaky ReLU (0.01)', f: z => z > 0 ? z : .01 * z, slope: z => z > 0 ? 1 : .01},
  gelu: {title: 'GELU', f: z => z * normal(z), slope: z => normal(z) + z * density(z)},
  silu: {title: 'SiLU', f: z => z * sigmoid(z), slope: z => sigmoid(z) * (1 + z * (1 - sigmoid(z)))},
  tanh: {title: 'tanh', f: Math.tanh, slope: z => 1 - Math.tanh(z) ** 2},
  linear: {title: 'none (linear)', f: z => z, slope: () => 1}}
const PRESETS = {   // gain, kind of weights, mark on the slider; PyTorch's a = √5 comes to the gain √(2 / (1 + 5))
  'PyTorch √5': [1 / Math.sqrt(3), 'uniform', '1/√3'], 'LeCun = Glorot': [1, 'normal', '1'], He: [Math.SQRT2, 'normal', '√2'], 'tanh’s 5/3': [5 / 3, 'normal', '5/3']}
const BATCH = 32, FEW = 8, BINS = 41, WIDEST = 128, FAR = 20, NEAR = 2, LEAST = .2   // FAR and NEAR: the axis of sizes, in powers of ten up and down

// scale · x (n, k) @ w (k, m), all as flat arrays; the inner loop runs along memory
function multiply(x, w, n, k, m, scale) {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let p = 0; p < k; p++) {
    const v = x[i * k + p] * scale
    if (v !== 0) for (let j = 0, o = i * m, r = p * m; j < m; j++) out[o + j] += v * w[r + j]
  }
  return out
}
// scale · g (n, m) @ w.T; four sums at once, so that none waits for its own last addition (k is a multiple of 8)
function multiplyBack(g, w, n, k, m, scale) {
  const out = new Float64Array(n * k)
  for (let i = 0; i < n; i++) for (let p = 0; p < k; p += 4) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0
    for (let j = 0, o = i * m, r = p * m; j < m; j++) {
      const v = g[o + j]; s0 += v * w[r + j]; s1 += v * w[r + m + j]; s2 += v * w[r + 2 * m + j]; s3 += v * w[r + 3 * m + j]
    }
    out.set([s0 * scale, s1 * scale, s2 * scale, s3 * scale], i * k + p)
  }
  return out
}
function measure(values, sum = 0, squares = 0, spread = 0) {
  for (const v of values) { sum += v; squares += v * v }
  const mean = sum / values.length
  for (const v of values) spread += (v - mean) ** 2
  return {mean, std: Math.sqrt(spread / values.length), rms: Math.sqrt(squares / values.length)}
}
// E[f(√q z)²] and E[f'(√q z)²] for a standard normal z, by the midpoint rule
function moments({f, slope}, q, step = .02) {
  let square = 0, slopes = 0, size = Math.sqrt(q)
  for (let i = 0; i < 16 / step; i++) {
    const z = (i + .5) * step - 8, weight = Math.exp(-z * z / 2) * step / Math.sqrt(2 * Math.PI)
    square += f(size * z) ** 2 * weight
    slopes += slope(size * z) ** 2 * weight
  }
  return {square, slopes}
}
bring('init_explorer', (root, {depth, width, activation, gain}) => {
  let kind = 'normal', seed = 1, chosen = Math.ceil(depth / 2), zoomed = false, own = false, drawn = {}, run, rows = BATCH, settling
  const live = speaker(), plot = div('plot'), histograms = [0, 1, 2].map(() => div('')), about = hint(''), here = div('here')
  const layers = () => [1, chosen, depth], most = Math.max(2.5, gain)
  const map = h('canvas', {role: 'img', height: 30, onclick: e => { const box = map.getBoundingClientRect(); set(snap(most - (e.clientY - box.top) / box.height * (most - LEAST))) }})
  // Inputs, the gradient from above, and unit weights. Each has random numbers of its own, drawn when they are first needed.
  function draws() {
    if (drawn.kind != kind || drawn.seed != seed) drawn = {kind, seed, streams: []}
    const take = (name, size, uniform) => {
      const stream = drawn.streams[name] ??= {...random(name * 1009 + seed), values: new Float64Array(WIDEST * (name < 2 ? BATCH : WIDEST)), count: 0}
      while (stream.count < size) stream.values[stream.count++] = uniform ? (2 * stream.uniform() - 1) * Math.sqrt(3) : stream.normal()
      return stream.values.subarray(0, size)
    }
    return {x: take(0, BATCH * width), top: take(1, BATCH * width), weights: Array.from({length: depth}, (_, i) => take(i + 2, width * width, kind == 'uniform'))}
  }
  function compute() {
    const {weights, ...full} = draws(), [x, top] = [full.x, full.top].map(values => values.subarray(0, rows * width))
    const {f, slope} = ACTIVATIONS[activation], scale = gain / Math.sqrt(width)
    const before = [], outputs = [], signal = [], gradient = Array(depth)
    let h = x, g = top
    for (const w of weights) {
      const z = multiply(h, w, rows, width, width, scale)
      h = new Float64Array(z.length)
      for (let i = 0; i < z.length; i++) h[i] = f(z[i])
      before.push(z); outputs.push(h); signal.push(measure(h))
    }
    for (let layer = depth - 1; layer >= 0; layer--) {   // g is the gradient of what this layer puts out
      gradient[layer] = measure(g)
      const through = new Float64Array(g.length)
      for (let i = 0; i < g.length; i++) through[i] = g[i] * slope(before[layer][i])
      if (layer) g = multiplyBack(through, weights[layer], rows, width, width, scale)
    }
    return {outputs, signal, gradient, scale, ...theory(measure(x).rms ** 2, measure(top).rms ** 2)}
  }
  function theory(q, g) {   // second moments: q of the signal, from the input up; g of the gradient, from the top down
    const forwards = [], factors = [], backwards = Array(depth)
    for (let layer = 0; layer < depth; layer++) {
      const {square, slopes} = moments(ACTIVATIONS[activation], gain * gain * q)
      forwards.push(Math.sqrt(q = square))
      factors.push(gain * gain * slopes)
    }
    for (let layer = depth - 1; layer >= 0; g *= factors[layer--]) backwards[layer] = Math.sqrt(g)
    return {forwards, backwards}
  }
  const short = v => number(v, 2)
  const setting = () => `${depth} layers of ${width} units, ${ACTIVATIONS[activation].title}, ${kind} weights of standard deviation ${number(run.scale, 3)}. `
  const summary = () => `Signal after layer ${depth}: ${short(run.signal[depth - 1].rms)} (theory ${short(run.forwards[depth - 1])}). ` +
    `Gradient at layer 1: ${short(run.gradient[0].rms)} (theory ${short(run.backwards[0])}).`
  // The axis holds still, so that it is the lines that move. One that leaves it ends in an arrow and says how far it goes.
  function chart() {
    const logs = [run.forwards, run.backwards, run.signal.map(s => s.rms), run.gradient.map(s => s.rms)].map(values => values.map(Math.log10))
    const end = zoomed ? NEAR : FAR, ends = [1, ...[1, 2, 3, 4, 5].map(i => Math.round(depth * i / 5)).filter(v => v > 2 || depth < 5)]
    const {svg, X, Y, line} = axes({width: plot.clientWidth || 330, height: plot.clientWidth < 500 ? 180 : 220, x: [1, depth], y: [-end, end], xLabel: 'layer',
      xTicks: Object.fromEntries(ends.map(v => [v, v])), yTicks: Object.fromEntries([-1, -.5, 0, .5, 1].map(v => [v * end, power(v * end)])),
      label: `Size by layer, on a logarithmic axis. ${setting()}${summary()}`})
    const names = ['green', 'green', 'blue', 'orange']
    logs.forEach((values, i) => {
      line(values.map((v, layer) => [layer + 1, v]), `var(--${names[i]})`, i < 2 ? 'theory' : '')
      if (i < 2) return
      const order = values.map((v, layer) => [layer, v]), [far, value] = (i == 3 ? order.reverse() : order).at(-1)   // the end it grows towards
      const out = order.find(([, v]) => Math.abs(v) > end)
      if (out) svg.append(write(Math.min(Math.max(X(out[0] + 1), 70), plot.clientWidth - 40), value > 0 ? 24 : Y(-end) - 8,
        `${value > 0 ? '▲' : '▼'} ${value == -Infinity ? 0 : power(Math.round(value))} at layer ${far + 1}`, names[i], 'middle'))
    })
    return svg
  }
  // The values of one layer, all three layers on one axis, so that what has shrunk looks small; or each on an axis of its own
  function histogram(layer, width) {
    const values = run.outputs[layer - 1], {mean, std, rms} = run.signal[layer - 1], reach = own ? 3 * rms || 1 : 3, counts = Array(BINS).fill(0)
    let zeros = 0, beyond = 0
    for (const v of values) {
      const bin = Math.floor((v / reach + 1) / 2 * BINS)
      zeros += v === 0
      counts[Math.max(0, Math.min(BINS - 1, bin || 0))]++   // what lies beyond the axis is piled up at its end
      beyond += bin < 0 || bin >= BINS
    }
    const share = n => `${Math.round(100 * n / values.length)}\u00a0%`, piled = zeros > .1 * values.length
    const most = Math.max(1, ...counts.filter((_, i) => !piled || i != BINS >> 1))   // a pile of zeros is cut off, and told
    const told = [`std ${short(std)}`, `mean ${short(mean)}`, piled && `${share(zeros)} zeros`, beyond > .02 * values.length && `${share(beyond)} beyond`].filter(Boolean)
    return [
      div('hint', h('b', {}, `layer ${layer}`)),
      h('svg', {width, height: 60, role: 'img', 'aria-label': `Histogram of layer ${layer}: ${told.join(', ')}`},
        h('path', {fill: 'var(--blue)', d: counts.map((c, i) => c && `M${(i * width / BINS).toFixed(1)},44v${(-42 * Math.min(1, c / most)).toFixed(1)}h${(.85 * width / BINS).toFixed(1)}V44z`).filter(Boolean).join('')}),
        h('line', {class: 'grid', x1: 0, x2: width, y1: 44, y2: 44}),
        write(0, 57, short(-reach)), write(width / 2, 57, '0', '', 'middle'), write(width, 57, short(reach), '', 'end')),
      div('hint', told.map((text, i) => [h('span', {}, text + (told[i + 1] ? ',' : '')), ' ']))]
  }
  // Theory for every gain and depth: green where the signal keeps its size. The line is the gain of the slider.
  function drawMap() {
    const key = [activation, depth].join(), green = ink(root, '--green')
    here.style.top = `${100 * (most - gain) / (most - LEAST)}%`
    if (map.dataset.key == key) return
    Object.assign(map, {width: depth, ariaLabel: `Theory, by layer and by gain from ${LEAST} to ${most}: in a narrow band the signal keeps its size; below it vanishes, above it explodes`})
    map.dataset.key = key
    let q
    paint(map, (layer, row) => {   // gone at four powers of ten up or down
      q = moments(ACTIVATIONS[activation], (most - (row + .5) / map.height * (most - LEAST)) ** 2 * (layer ? q : 1), .1).square
      return [green, Math.max(0, 1 - Math.abs(Math.log10(q)) / 8)]
    })
  }
  // A layer's mean square is an average over its units: with ReLU its variance is 5/n, and its root strays by half of √(5/n).
  const stray = () => Math.sqrt(5 / width) / 2
  const explain = () => { about.textContent = `Weights: ${number(gain, 3)}/√${width} = ${number(run.scale, 3)}, ${kind}. PyTorch’s default, a = √5, is uniform ` +
    `between ±1/√n, a gain of 1/√3 = 0.58; the others are normal. Theory is the average over many draws. A single draw of a ReLU network strays from it by about ` +
    `${Math.round(100 * stray())}\u00a0% a layer with ${width} units; over ${depth} layers this adds up to a factor of about ${number(Math.exp(stray() * Math.sqrt(depth)), 2)}, up or down.` }
  const drawHistogram = i => histograms[i].replaceChildren(...histogram(layers()[i], histograms[i].clientWidth || 164)), drawChart = () => plot.replaceChildren(chart())
  function show() {   // all that can be seen of a run
    drawChart(); drawMap()
    histograms.forEach((_, i) => drawHistogram(i))
    live.set(summary()); explain()
    for (const b of presets) b.setAttribute('aria-pressed', PRESETS[b.textContent][1] == kind && Math.abs(PRESETS[b.textContent][0] - gain) < .005)
  }
  // While a slider moves, a quarter of the inputs is enough; all of them follow when it rests.
  const draw = (count = BATCH) => { clearTimeout(settling); rows = count; run = compute(); show() }
  const later = soon(() => { draw(FEW); settling = setTimeout(draw, 250) })
  const at = value => Object.keys(PRESETS).find(name => Math.abs(PRESETS[name][0] - value) < .008)   // a mark holds the slider a little
  const snap = value => PRESETS[at(value)]?.[0] ?? value, named = value => value.toFixed(2) + (at(value) ? ` (${at(value)})` : '')
  const choice = slider('Layer of the middle histogram', {min: 1, max: depth, value: chosen}, value => { chosen = value; show() })
  const gains = slider('Gain', {min: LEAST, max: most, step: .01, value: gain}, value => { gain = snap(value); later.ask() }, named,
    Object.fromEntries(Object.values(PRESETS).map(([g, , mark]) => [g, mark])))
  const set = value => { gains.set(gain = value); draw() }
  const presets = Object.keys(PRESETS).map(name => button(name, () => { kind = PRESETS[name][1]; set(PRESETS[name][0]) }))
  watch(plot, () => run && drawChart()); histograms.forEach((place, i) => watch(place, () => run && drawHistogram(i)))
  return {
    draw,
    view: [
      div('row thirds', choose('Activation', titles(ACTIVATIONS), activation, value => { activation = value; draw() }),
        slider('Layers', {min: 2, max: 60, value: depth}, value => { depth = value; choice.set(chosen = Math.ceil(depth / 2), depth); later.ask() }).element,
        slider('Units', {min: 8, max: 128, step: 8, value: width}, value => { width = value; later.ask() }).element),
      div('stage', div('row legend', h('b', {class: 'blue'}, '— signal'), h('b', {class: 'orange'}, '— gradient'),
        h('b', {class: 'green'}, '- - theory'), 'size (RMS)'), plot),
      gains.element, div('row presets', presets, button('Draw again', () => { seed++; draw() })),
      live.element, div('histograms', histograms),
      h('details', {}, h('summary', {}, 'Every gain at once; zoom; what the lines mean'),
        div('map', map, here, h('span', {}, 'gain')),
        hint('The map is theory for every gain and layer, green where the signal keeps its size. Click it to choose a gain.'),
        div('row', toggle('Zoom in', zoomed, on => { zoomed = on; show() }), hint('The lines from 10⁻² to 10², not from 10⁻²⁰ to 10²⁰.')),
        div('row', toggle('Own scales', own, on => { own = on; show() }), hint('Each histogram on an axis of its own, so that its shape shows however small its numbers are.')),
        div('row', choice.element), about)],
    get state() { later.now(); if (rows < BATCH) draw(); return {depth, width, activation, gain, kind, batch: BATCH, chosen: layers(), ...draws(), ...run} }}
})
