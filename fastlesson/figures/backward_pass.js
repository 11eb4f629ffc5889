// The backward pass: two inputs, two hidden units with ReLU, one output, squared error, in real numbers.
// Names are the lesson's: l1 = x @ w1 + b1, l2 = relu(l1), output = l2 @ w2 + b2, loss = (output - target)².

const RATE = .1     // of a step downhill
const MOVE = 1e-4   // of a finite difference; the loss is quadratic in each parameter, so it is exact but for rounding
const FORWARD = ['l1[0]', 'l1[1]', 'l2[0]', 'l2[1]', 'output', 'loss']
const BACKWARD = ['the squared error', 'the second layer', 'the ReLU of unit 0', 'the ReLU of unit 1',
  'unit 0 of the first layer', 'unit 1 of the first layer']

function forward(v) {
  const l1 = [0, 1].map(j => v['x[0]'] * v[`w1[0, ${j}]`] + v['x[1]'] * v[`w1[1, ${j}]`] + v[`b1[${j}]`])
  const l2 = l1.map(v => v > 0 ? v : 0)
  const output = l2[0] * v['w2[0]'] + l2[1] * v['w2[1]'] + v.b2
  return {'l1[0]': l1[0], 'l1[1]': l1[1], 'l2[0]': l2[0], 'l2[1]': l2[1], output, loss: (output - v.target) ** 2}
}
// The way back, as a list of steps. Each is a list of products: the gradient of `of` gets that of `from`, times a local one.
function backward(v) {
  const gradients = {loss: 1}
  const step = (from, ...products) => products.map(([of, localName, local]) => {
    const upstream = gradients[from], down = upstream * local
    gradients[of] = (gradients[of] ?? 0) + down   // a value that is used twice gets two parts, and they add up
    return {of, from, upstream, localName, local, down, sum: gradients[of]}
  })
  const by = (of, local) => [of, local, v[local]]
  const relu = j => step(`l2[${j}]`, [`l1[${j}]`, `[l1[${j}] > 0]`, v[`l1[${j}]`] > 0 ? 1 : 0])
  const unit = j => step(`l1[${j}]`, by(`w1[0, ${j}]`, 'x[0]'), by(`w1[1, ${j}]`, 'x[1]'), [`b1[${j}]`, '', 1],
    by('x[0]', `w1[0, ${j}]`), by('x[1]', `w1[1, ${j}]`))
  const steps = [
    step('loss', ['output', '2 (output − target)', 2 * (v.output - v.target)]),
    step('output', by('w2[0]', 'l2[0]'), by('w2[1]', 'l2[1]'), ['b2', '', 1], by('l2[0]', 'w2[0]'), by('l2[1]', 'w2[1]')),
    relu(0), relu(1), unit(0), unit(1)]
  return {steps, gradients}
}

// The graph, from the inputs at the top to the loss: places of the nodes in a drawing of 340 by 412; then the edges,
// what stands beside each, how far down it, and how far to the right (or, negative, left) of it
const PLACES = {'x[0]': [82, 26], 'x[1]': [258, 26], 'l1[0]': [82, 134], 'l1[1]': [258, 134], 'l2[0]': [82, 212], 'l2[1]': [258, 212],
  output: [170, 306], loss: [170, 384]}
const EDGES = [
  ['x[0]', 'l1[0]', 'w1[0, 0]', .5, -7], ['x[0]', 'l1[1]', 'w1[0, 1]', .12, 20],
  ['x[1]', 'l1[0]', 'w1[1, 0]', .12, -20], ['x[1]', 'l1[1]', 'w1[1, 1]', .5, 7],
  ['l1[0]', 'l2[0]', 'relu', .4, 7], ['l1[1]', 'l2[1]', 'relu', .4, 7],
  ['l2[0]', 'output', 'w2[0]', .6, -12], ['l2[1]', 'output', 'w2[1]', .6, 12], ['output', 'loss', '( · − target)²', .4, 7]]

bring('backward_pass', (root, {values}) => {   // values: x[0], x[1], the nine parameters, target
  const PARAMETERS = Object.keys(values).filter(name => /^[wb]/.test(name))
  const count = () => FORWARD.length + BACKWARD.length
  const loss = moved => forward({...values, ...moved}).loss
  const moved = (name, by) => loss({[name]: values[name] + by * MOVE})

  function compute() {
    const all = {...values, ...forward(values)}, differences = {}, kinks = {}
    for (const name of PARAMETERS) {
      const below = (all.loss - moved(name, -1)) / MOVE, above = (moved(name, 1) - all.loss) / MOVE
      differences[name] = (moved(name, 1) - moved(name, -1)) / (2 * MOVE)
      kinks[name] = Math.abs(above - below) > .01 * Math.abs(differences[name]) + 10 * MOVE   // a smooth loss bends far less
    }
    return {all, differences, kinks, ...backward(all)}
  }
  // What has been reached after t steps: values that are known, gradients so far, and the products of this very step
  function reached(t, {all, steps}) {
    const back = t - FORWARD.length, done = steps.slice(0, Math.max(0, back)).flat()
    const sums = Object.fromEntries(done.map(p => [p.of, p.sum]))
    if (back > 0) sums.loss = 1
    return {known: name => name in values || FORWARD.indexOf(name) < t, sums, now: back > 0 ? steps[back - 1] : [],
      colour: back > 0 ? 'orange' : 'blue', lit: back > 0 ? steps[back - 1].map(p => p.of) : t ? [FORWARD[t - 1]] : []}
  }

  const first = {...values}, round = value => +value.toPrecision(4)
  const live = speaker(), graph = div(''), products = div('products')
  const steps = player(root, count, draw, live)
  const fields = {}, cells = {}
  const rows = Object.keys(values).map(name => {
    fields[name] = field(name, round(values[name]), value => { values[name] = value; draw() })
    fields[name].style.width = '4.6em'
    cells[name] = [h('span', {class: 'orange'}), h('span')]
    return [h('span', {class: 'mono'}, name), fields[name], ...cells[name]]
  })

  function picture(state, {known, sums, now, lit, colour}) {
    const {all} = state, glow = on => ({stroke: on ? `var(--${colour})` : 'var(--line)', 'stroke-width': on ? 2.5 : 1.2})
    const inWords = Object.keys(PLACES).filter(known).map(name =>
      `${name} ${number(all[name])}` + (name in sums ? `, gradient ${number(sums[name])}` : ''))
    const lines = EDGES.map(([from, to, name, at, beside]) => {
      const [x0, y0, x1, y1] = [PLACES[from][0], PLACES[from][1] + 21, PLACES[to][0], PLACES[to][1] - 21]
      const on = now.length ? lit.includes(name) || now.some(p => p.of == from && p.from == to) : lit.includes(to)
      return [h('line', {x1: x0, y1: y0, x2: x1, y2: y1, ...glow(on)}),
        write(x0 + at * (x1 - x0) + beside, y0 + at * (y1 - y0) + 5, name in values ? number(values[name], 3) : name,
          lit.includes(name) ? 'orange' : '', beside < 0 ? 'end' : 'start')]
    })
    const nodes = Object.entries(PLACES).map(([name, [x, y]]) => h('g', {},
      h('rect', {x: x - 60, y: y - 21, width: 120, height: 42, rx: 5, fill: 'var(--wash)', ...glow(lit.includes(name))}),
      write(x - 54, y + 4, name, 'bold'), known(name) && write(x + 54, y - 4, number(all[name]), 'blue', 'end'),
      name in sums && write(x + 54, y + 14, number(sums[name]), 'orange', 'end')))
    return h('svg', {viewBox: '0 0 340 412', role: 'img', 'aria-label': `The model as a graph: ${inWords.join('; ')}`}, lines, nodes)
  }
  function productTable(now) {
    if (!now.length) return []
    const orange = x => ['orange', number(x, 3)]
    const both = now.filter(p => p.sum != p.down).map(p => [`${p.of} in all`, '', '', orange(p.sum)])
    return [table(['gradient of', 'upstream', '× local', '= passed on'], [...now.map(p => [p.of, orange(p.upstream),
      ['blue', (p.localName && p.localName + '\n= ') + number(p.local, 3)], orange(p.down)]), ...both])]
  }
  function sentence(t, v, now) {
    const n = name => number(v[name]), factor = name => v[name] < 0 ? `(${n(name)})` : n(name)   // one behind a sign
    const linear = (...pairs) => pairs.map(([a, b], i) => `${i ? factor(a) : n(a)} × ${factor(b)}`).join(' + ')
    if (!t) return `Step forward to compute the loss. With these weights it will be ${n('loss')}.`
    if (now.length) {
      const several = now.length > 1
      return `Backwards through ${BACKWARD[t - FORWARD.length - 1]}: ${now.map(p => p.of).join(', ')} ${several ? 'get' : 'gets'} the gradient of ` +
        `${now[0].from}, ${number(now[0].upstream)}, times ${several ? 'their own local gradients' : `its own local gradient ${number(now[0].local)}`}.`
    }
    const name = FORWARD[t - 1], [layer, j] = name.split(/[[\]]/)
    return `Forwards: ${name} = ` + {
      l1: () => `${linear(['x[0]', `w1[0, ${j}]`], ['x[1]', `w1[1, ${j}]`])} + ${factor(`b1[${j}]`)}`, l2: () => `max(0, ${n(`l1[${j}]`)})`,
      output: () => `${linear(['l2[0]', 'w2[0]'], ['l2[1]', 'w2[1]'])} + ${factor('b2')}`,
      loss: () => `(${n('output')} − ${factor('target')})²`}[layer]() + ` = ${n(name)}.`
  }

  function draw() {
    const state = compute(), now = reached(steps.step, state)
    graph.replaceChildren(picture(state, now))
    products.replaceChildren(...productTable(now.now))
    live.set(sentence(steps.step, state.all, now.now))
    for (const name of PARAMETERS) {
      cells[name][0].textContent = name in now.sums ? number(state.gradients[name], 6) : '·'
      cells[name][1].textContent = state.kinks[name] ? 'a kink is near' : number(state.differences[name], 6)
    }
  }
  function downhill() {
    const {gradients, all} = compute()
    for (const name of PARAMETERS) {
      values[name] -= RATE * gradients[name]
      fields[name].value = round(values[name])
    }
    draw()
    live.set(`Every parameter moved by −${RATE} times its gradient: the loss went from ${number(all.loss)} to ${number(loss())}.`)
  }

  function firstValues() {
    for (const name in first) fields[name].value = round(values[name] = first[name])
    draw()
  }

  return {
    draw, go: steps.go,
    view: [steps.element, live.element, div('sides stage', div('', graph, scrolling('The products of this step', products)),
      div('', scrolling('The numbers', table(['name', 'value', 'gradient', 'by difference'], rows)),
        div('row', button('Move downhill', downhill), button('First values', firstValues)),
        hint(`Blue: values, forwards. Orange: gradients, backwards. Every value in this table can be changed. By difference: the loss with ` +
          `this parameter ${MOVE} higher, less the loss with it ${MOVE} lower, over ${2 * MOVE}.`)))],
    get state() { return {step: steps.step, values, ...compute()} }}
})
