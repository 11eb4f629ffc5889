// The initialisation explorer: a stack of layers h ← f(h w), width to width, with weights of standard deviation gain/√width.
// Weights are drawn once with standard deviation 1 and scaled when they are used, so moving the gain draws nothing again.

const ACTIVATIONS = {   // the function, and its slope given the function's *value*
  relu: {title: 'ReLU', f: y => y > 0 ? y : 0, slope: h => h > 0 ? 1 : 0},
  tanh: {title: 'tanh', f: Math.tanh, slope: h => 1 - h * h},
  leaky_relu: {title: 'leaky ReLU (0.01)', f: y => y > 0 ? y : .01 * y, slope: h => h > 0 ? 1 : .01},
  linear: {title: 'none (linear)', f: y => y, slope: () => 1}}
const STARTS = {LeCun: [1, 'normal'], Glorot: [1, 'normal'], He: [Math.SQRT2, 'normal'], 'PyTorch √5': [1 / Math.sqrt(3), 'uniform']}
const BATCH = 64, BINS = 41

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
      const v = g[o + j]
      s0 += v * w[r + j]; s1 += v * w[r + m + j]; s2 += v * w[r + 2 * m + j]; s3 += v * w[r + 3 * m + j]
    }
    out.set([s0 * scale, s1 * scale, s2 * scale, s3 * scale], i * k + p)
  }
  return out
}
function measure(values) {
  let sum = 0, squares = 0, spread = 0
  for (const v of values) { sum += v; squares += v * v }
  const mean = sum / values.length
  for (const v of values) spread += (v - mean) ** 2
  return {mean, std: Math.sqrt(spread / values.length), rms: Math.sqrt(squares / values.length)}
}
// E[f(√q z)²] and E[f'(√q z)²] for a standard normal z, by the midpoint rule
function moments({f, slope}, q) {
  let square = 0, slopes = 0
  const step = .02, size = Math.sqrt(q)
  for (let i = 0; i < 800; i++) {
    const z = (i + .5) * step - 8, h = f(size * z), weight = Math.exp(-z * z / 2) * step / Math.sqrt(2 * Math.PI)
    square += h * h * weight
    slopes += slope(h) ** 2 * weight
  }
  return {square, slopes}
}

bring('init_explorer', (root, {depth, width, activation, gain}) => {
  let kind = 'normal', seed = 1, chosen = [], drawn = {}, run
  const live = speaker(), plot = div(''), histograms = [0, 1, 2].map(() => div(''))

  function draws() {   // inputs, unit weights, and the gradient from above; drawn again only when their shape or kind changes
    const key = [depth, width, kind, seed].join()
    if (drawn.key != key) {
      const r = random(seed), unit = kind == 'normal' ? r.normal : () => (2 * r.uniform() - 1) * Math.sqrt(3)
      const fill = (size, f) => Float64Array.from({length: size}, f)
      drawn = {key, x: fill(BATCH * width, r.normal), top: fill(BATCH * width, r.normal),
        weights: Array.from({length: depth}, () => fill(width * width, unit))}
    }
    return drawn
  }
  function compute() {
    const {x, top, weights} = draws(), {f, slope} = ACTIVATIONS[activation], scale = gain / Math.sqrt(width)
    const outputs = [], signal = [], gradient = Array(depth)
    let h = x, g = top
    for (const w of weights) {
      h = multiply(h, w, BATCH, width, width, scale)
      for (let i = 0; i < h.length; i++) h[i] = f(h[i])
      outputs.push(h)
      signal.push(measure(h))
    }
    for (let layer = depth - 1; layer >= 0; layer--) {   // g is the gradient of what this layer puts out
      gradient[layer] = measure(g)
      const through = g.map((v, i) => v * slope(outputs[layer][i]))
      if (layer) g = multiplyBack(through, weights[layer], BATCH, width, width, scale)
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

  function summary() {
    const {signal, gradient, forwards, backwards, scale} = run
    return `${depth} layers of ${width}, ${ACTIVATIONS[activation].title}, ${kind} weights of standard deviation ` +
      `${number(gain, 3)}/√${width} = ${number(scale, 3)}. Signal after the last layer: ${number(signal[depth - 1].rms, 3)}, ` +
      `theory ${number(forwards[depth - 1], 3)}. Gradient at the first: ${number(gradient[0].rms, 3)}, theory ${number(backwards[0], 3)}.`
  }
  function chart() {
    const logs = [run.forwards, run.backwards, run.signal.map(s => s.rms), run.gradient.map(s => s.rms)].map(values => values.map(Math.log10))
    const far = Math.max(...logs.flat().map(Math.abs).filter(Number.isFinite))
    const end = [2, 4, 10, 20, 40, 100].find(v => v >= far) || 100
    const power = v => v ? '10' + String(v).replace(/./g, c => c == '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[c]) : '1'
    const ends = [1, ...[1, 2, 3, 4, 5].map(i => Math.round(depth * i / 5)).filter(v => v > 2 || depth < 5)]
    const {svg, line} = axes({width: plot.clientWidth || 330, height: 230, x: [1, depth], y: [-end, end], xLabel: 'layer',
      xTicks: Object.fromEntries(ends.map(v => [v, v])), yTicks: Object.fromEntries([-1, -.5, 0, .5, 1].map(v => [v * end, power(v * end)])),
      label: `Size by layer, on a logarithmic axis. ${summary()}`})
    const colours = ['var(--green)', 'var(--green)', 'var(--blue)', 'var(--orange)']
    logs.forEach((values, i) => line(values.map((v, layer) => [layer + 1, v]), colours[i], i < 2 ? 'theory' : ''))
    return svg
  }
  // The values of one layer on an axis of ±3 times their own size: how large they are is in the chart, this is their shape
  function histogram(layer, width) {
    const values = run.outputs[layer - 1], {mean, std, rms} = run.signal[layer - 1], reach = 3 * rms || 1, counts = Array(BINS).fill(0)
    for (const v of values) { const bin = Math.floor((v / reach + 1) / 2 * BINS); if (bin >= 0 && bin < BINS) counts[bin]++ }
    const zeros = values.reduce((n, v) => n + (v === 0), 0) / values.length
    const most = Math.max(1, ...counts.filter((_, i) => zeros < .1 || i != BINS >> 1))   // a pile of zeros is cut off, and told
    const text = `mean ${number(mean, 2)}, std ${number(std, 2)}` + (zeros < .1 ? '' : `, ${Math.round(100 * zeros)}\u00a0% zeros`)
    return [
      h('svg', {width, height: 72, role: 'img', 'aria-label': `Histogram of layer ${layer}: ${text}`},
        h('path', {fill: 'var(--blue)', d: counts.map((c, i) => `M${(i * width / BINS).toFixed(1)},56v${(-54 * Math.min(1, c / most)).toFixed(1)}h${(.85 * width / BINS).toFixed(1)}V56z`).join('')}),
        h('line', {class: 'grid', x1: 0, x2: width, y1: 56, y2: 56}),
        write(0, 69, number(-reach, 2)), write(width / 2, 69, '0', '', 'middle'), write(width, 69, number(reach, 2), '', 'end')),
      div('hint', text)]
  }

  const drawHistogram = i => histograms[i].replaceChildren(...histogram(chosen[i], histograms[i].clientWidth || 164))
  const drawChart = () => plot.replaceChildren(chart())
  function draw() {
    const started = performance.now()
    run = compute()
    run.ms = performance.now() - started
    drawChart()
    histograms.forEach((_, i) => drawHistogram(i))
    live.set(summary())
    for (const b of starts) {
      const [g, k] = STARTS[b.textContent]
      b.setAttribute('aria-pressed', k == kind && Math.abs(g - gain) < .005)
    }
  }
  const choices = ['First', 'Second', 'Third'].map((which, i) =>
    slider(which + ' histogram: layer', {min: 1, max: depth, value: 1}, value => { chosen[i] = value; draw() }))
  function choice() { chosen = [1, Math.ceil(depth / 2), depth]; choices.forEach((c, i) => c.set(chosen[i], depth)) }
  choice()
  const gains = slider('Gain', {min: .2, max: 4, step: .01, value: gain}, value => { gain = value; draw() }, v => v.toFixed(2))
  const starts = Object.keys(STARTS).map(name => button(name, () => { [gain, kind] = STARTS[name]; gains.set(gain); draw() }))
  watch(plot, drawChart)
  histograms.forEach((place, i) => watch(place, () => drawHistogram(i)))

  return {
    draw,
    view: [
      div('row', choose('Activation', titles(ACTIVATIONS), activation, value => { activation = value; draw() }),
        slider('Layers', {min: 2, max: 60, value: depth}, value => { depth = value; choice(); draw() }).element,
        slider('Units in each', {min: 8, max: 128, step: 8, value: width}, value => { width = value; draw() }).element),
      gains.element, div('row', starts, button('Draw again', () => { seed++; draw() })),
      div('stage', div('row legend', h('b', {class: 'blue'}, '— signal'), h('b', {class: 'orange'}, '— gradient'),
        h('b', {class: 'green'}, '- - theory'), 'root of the second moment'), plot), live.element, div('histograms', choices.map((c, i) => div('layer', c.element, histograms[i]))),
      hint('64 random inputs. Between layers of one width Glorot’s factor is LeCun’s; PyTorch’s √5 is uniform between ±1/√n, the others are ' +
        'normal. Theory is an average over draws: a layer of few units is off by some per cent, and over many layers that adds up.')],
    get state() { return {depth, width, activation, gain, kind, batch: BATCH, chosen, ...draws(), ...run} }}
})
