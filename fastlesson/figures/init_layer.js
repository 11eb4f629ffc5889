// One layer: n inputs, weights of a standard deviation that is dragged, and what comes out before and after ReLU.

const ROWS = 50, UNITS = 40, MOST = 2048, EDGE = 4, BINS = 48   // 2,000 outputs; histograms from −4 to 4, whatever is in them
const RULES = {LeCun: n => 1 / Math.sqrt(n), Glorot: (n, m) => Math.sqrt(2 / (n + m)), He: n => Math.sqrt(2 / n)}
const [LOW, HIGH] = [-3.3, .7]   // of the slider: powers of ten
const SIZES = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 784, 1024, 1536, 2048]
const mean = values => values.reduce((sum, v) => sum + v, 0) / values.length
const square = v => v * v

bring('init_layer', (root, {n_in, n_out, std}) => {
  const {normal} = random(0), fill = count => Float64Array.from({length: count}, normal)
  const state = {n: n_in, m: n_out, std, rows: ROWS, units: UNITS, inputs: fill(ROWS * MOST), normals: fill(MOST * UNITS)}
  // Outputs of every unit for every row: the inputs are normalised, and each weight is a normal number times the std.
  function compute() {
    const {n, inputs, normals} = state, z = new Float64Array(ROWS * UNITS)
    for (let r = 0; r < ROWS; r++) for (let i = 0; i < n; i++) {
      const x = inputs[r * MOST + i] * state.std
      for (let j = 0; j < UNITS; j++) z[r * UNITS + j] += x * normals[i * UNITS + j]
    }
    const after = z.map(v => Math.max(0, v)), variance = n * square(state.std)
    Object.assign(state, {z, before: {mean: mean(z), square: mean(z.map(square))}, after: {mean: mean(after), square: mean(after.map(square))},
      theory: {before: {mean: 0, square: variance}, after: {mean: Math.sqrt(variance / (2 * Math.PI)), square: variance / 2}}})
  }

  const places = {before: div('plot'), after: div('plot')}, figures = scrolling('Mean and mean square, measured and by theory'), live = speaker()
  function histogram(place, values, name) {
    const width = place.clientWidth || 300, counts = new Array(BINS).fill(0), {std, n} = state, spread = std * Math.sqrt(n)
    for (const v of values) counts[Math.max(0, Math.min(BINS - 1, Math.floor((v + EDGE) / (2 * EDGE) * BINS)))]++
    const most = Math.max(...counts), top = name == 'after' ? Math.max(1, ...counts.filter((_, i) => i != BINS / 2)) : most
    const out = values.filter(v => Math.abs(v) >= EDGE).length / values.length, share = out >= .005 ? `, ${Math.round(100 * out)} % beyond the edges` : ''
    const {svg, X, Y, line} = axes({width, height: 150, x: [-EDGE, EDGE], y: [0, 1.05], xTicks: {'-4': '−4', '-2': '−2', 0: '0', 2: '2', 4: '4'}, yTicks: {},
      xLabel: (name == 'after' ? 'after ReLU' : 'outputs') + share, label: `Histogram of the outputs ${name == 'after' ? 'after' : 'before'} ReLU, from −4 to 4${share}`})
    counts.forEach((count, i) => {
      const high = Y(0) - Y(Math.min(1.05, count / top)), left = X(-EDGE + i * 2 * EDGE / BINS)
      if (count) svg.append(h('rect', {class: 'tally', x: left, y: Y(0) - high, width: Math.max(1, X(2 * EDGE / BINS) - X(0) - 1), height: high}))
    })
    const bin = 2 * EDGE / BINS, bell = v => values.length * bin * Math.exp(-square(v / spread) / 2) / (spread * Math.sqrt(2 * Math.PI)) / top
    line(Array.from({length: 161}, (_, i) => -EDGE + i * EDGE / 80).filter(v => name == 'before' || v > 0).map(v => [v, bell(v)]), 'var(--green)', 'theory')
    if (name == 'after') svg.append(write(X(0) - 6, Y(1) + 8, `${Math.round(100 * values.filter(v => v == 0).length / values.length)} % are 0`, '', 'end'))
    place.replaceChildren(svg)
  }
  function draw() {
    compute()
    const {n, m, z, before, after, theory} = state, spread = Math.sqrt(theory.before.square)
    histogram(places.before, z, 'before')
    histogram(places.after, z.map(v => Math.max(0, v)), 'after')
    figures.replaceChildren(table(['', 'mean', 'theory', 'mean square', 'theory'], [['outputs', before, theory.before], ['after ReLU', after, theory.after]]
      .map(([name, found, wanted]) => [name, ['blue', number(found.mean, 2)], ['green', number(wanted.mean, 2)], ['blue', number(found.square, 3)], ['green', number(wanted.square, 3)]])))
    for (const [name, e] of Object.entries(presets)) {
      const value = rule(name)
      e.textContent = `${name} ${number(value, 2)}`
      e.setAttribute('aria-pressed', Math.abs(value / state.std - 1) < 1e-9)
    }
    // On the slider, the first and the last mark write outwards and the one between them below, so that they never meet
    const order = Object.keys(RULES).sort((a, b) => rule(a) - rule(b))
    order.forEach((name, i) => {
      marks[name].style.setProperty('--at', (Math.log10(rule(name)) - LOW) / (HIGH - LOW))
      marks[name].className = ['first', 'between', 'last'][i]
    })
    const times = factor => factor > 1.1 || factor < 1 / 1.1 ? `${number(factor, 2)} times as large` : 'about as large'
    live.set(`Inputs have a mean square of 1. Outputs have ${number(before.square, 3)}, and ${number(after.square, 3)} after ReLU: the next layer’s inputs are ${times(Math.sqrt(after.square))}.`)
  }
  const later = soon(draw), rule = name => RULES[name](state.n, state.m)
  const sizes = [...new Set([...SIZES, n_in])].sort((a, b) => a - b)
  const size = slider('Inputs n', {min: 0, max: sizes.length - 1, value: sizes.indexOf(n_in)}, i => { state.n = sizes[i]; later.ask() }, i => String(sizes[i]))
  const spread = slider('Standard deviation of the weights', {min: LOW, max: HIGH, step: .005, value: Math.log10(std)}, v => { state.std = near(10 ** v); later.ask() },
    v => number(10 ** v, 2), {'-3': '0.001', '-2': '0.01', '-1': '0.1', 0: '1'})
  const near = std => Object.keys(RULES).map(rule).find(value => Math.abs(Math.log10(value / std)) < .004) ?? std   // a mark holds the slider a little
  const marks = Object.fromEntries(Object.keys(RULES).map(name => [name, h('span', {}, name)]))
  spread.element.querySelector('input').before(h('span', {class: 'marks rules', 'aria-hidden': 'true'}, Object.values(marks)))
  const set = value => { state.std = value; spread.set(Math.log10(value)); draw() }
  const presets = Object.fromEntries(Object.keys(RULES).map(name => [name, button(name, () => set(rule(name)), {'aria-pressed': 'false'})]))
  for (const place of Object.values(places)) watch(place, draw)
  return {draw, get state() { later.now(); return state }, view: [div('stage', div('sides', places.before, places.after), figures, live.element),
    spread.element, size.element, div('row presets', Object.values(presets)),
    hint(`Measured with ${ROWS} input vectors and ${UNITS} units. Glorot’s rule is for ${n_out} outputs.`)]}
})
