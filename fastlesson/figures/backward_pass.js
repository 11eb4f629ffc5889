// The backward pass: two inputs, two hidden units with ReLU, one output, squared error, in real numbers.
// Names are the lesson's: l1 = x @ w1 + b1, l2 = relu(l1), output = l2 @ w2 + b2, loss = (output - target)².

const RATE = .1     // of a step downhill
const MOVE = 1e-4   // of a finite difference; the loss is quadratic in each parameter, so it is exact but for rounding
const FORWARD = ['l1[0]', 'l1[1]', 'l2[0]', 'l2[1]', 'output', 'loss']
const BACKWARD = ['the squared error', 'the second layer', 'the ReLU of unit 0', 'the ReLU of unit 1',
  'unit 0 of the first layer', 'unit 1 of the first layer']
const MISTAKES = {none: 'none', two: 'the 2 of the loss is forgotten', mask: 'ReLU lets every gradient through', early: 'w2 gets l1 where it needs l2',
  order: 'w1 gets the inputs in the wrong order', bias: 'the biases get no gradient'}

function forward(v) {
  const l1 = [0, 1].map(j => v['x[0]'] * v[`w1[0, ${j}]`] + v['x[1]'] * v[`w1[1, ${j}]`] + v[`b1[${j}]`])
  const l2 = l1.map(v => v > 0 ? v : 0)
  const output = l2[0] * v['w2[0]'] + l2[1] * v['w2[1]'] + v.b2
  return {'l1[0]': l1[0], 'l1[1]': l1[1], 'l2[0]': l2[0], 'l2[1]': l2[1], output, loss: (output - v.target) ** 2}
}
// The backward pass, as a list of steps. Each is a list of products: the gradient of `of` gets that of `from`, times a local one.
function backward(v, mistake) {
  const gradients = {loss: 1}, is = name => mistake == name
  const step = (from, ...products) => products.map(([of, localName, local]) => {
    const upstream = gradients[from], down = upstream * local
    gradients[of] = (gradients[of] ?? 0) + down   // a value that is used twice gets two parts, and they add up
    return {of, from, upstream, localName, local, down, sum: gradients[of]}
  })
  const by = (of, local) => [of, local, v[local]], bias = of => [of, '', is('bias') ? 0 : 1], [first, second] = is('order') ? [1, 0] : [0, 1]
  const relu = j => step(`l2[${j}]`, is('mask') ? [`l1[${j}]`, '', 1] : [`l1[${j}]`, `[l1[${j}] > 0]`, v[`l1[${j}]`] > 0 ? 1 : 0])
  const unit = j => step(`l1[${j}]`, by(`w1[0, ${j}]`, `x[${first}]`), by(`w1[1, ${j}]`, `x[${second}]`), bias(`b1[${j}]`),
    by('x[0]', `w1[0, ${j}]`), by('x[1]', `w1[1, ${j}]`))
  const input = j => is('early') ? `l1[${j}]` : `l2[${j}]`, error = v.output - v.target
  const steps = [
    step('loss', is('two') ? ['output', 'output − target', error] : ['output', '2 (output − target)', 2 * error]),
    step('output', by('w2[0]', input(0)), by('w2[1]', input(1)), bias('b2'), by('l2[0]', 'w2[0]'), by('l2[1]', 'w2[1]')),
    relu(0), relu(1), unit(0), unit(1)]
  return {steps, gradients}
}

// The graph, from the inputs at the top to the loss: places of the nodes in a drawing of 370 by 344; then the edges,
// and where what is written beside each of them ends (or, behind a +, begins)
const PLACES = {'x[0]': [64, 22], 'x[1]': [306, 22], 'l1[0]': [64, 116], 'l1[1]': [306, 116], 'l2[0]': [64, 186], 'l2[1]': [306, 186],
  output: [185, 258], loss: [185, 322]}
const EDGES = [
  ['x[0]', 'l1[0]', 'w1[0, 0]', 58, 56, 'end'], ['x[0]', 'l1[1]', 'w1[0, 1]', 122, 14, 'start'],
  ['x[1]', 'l1[0]', 'w1[1, 0]', 248, 14, 'end'], ['x[1]', 'l1[1]', 'w1[1, 1]', 312, 56, 'start'],
  ['l1[0]', 'l2[0]', 'relu', 72, 155, 'start'], ['l1[1]', 'l2[1]', 'relu', 298, 155, 'end'],
  ['l2[0]', 'output', 'w2[0]', 84, 222, 'end'], ['l2[1]', 'output', 'w2[1]', 286, 222, 'start'], ['output', 'loss', '( · − target)²', 192, 293, 'start']]

bring('backward_pass', (root, {values}) => {   // values: x[0], x[1], the nine parameters, target
  const PARAMETERS = Object.keys(values).filter(name => /^[wb]/.test(name))
  const count = () => FORWARD.length + BACKWARD.length
  const loss = moved => forward({...values, ...moved}).loss
  const moved = (name, by) => loss({[name]: values[name] + by * MOVE})
  let mistake = 'none', quiz = false, seed = 1

  function compute() {
    const all = {...values, ...forward(values)}, differences = {}, kinks = {}, {steps, gradients} = backward(all, mistake)
    for (const name of PARAMETERS) {
      const below = (all.loss - moved(name, -1)) / MOVE, above = (moved(name, 1) - all.loss) / MOVE
      differences[name] = (moved(name, 1) - moved(name, -1)) / (2 * MOVE)
      kinks[name] = Math.abs(above - below) > .01 * Math.abs(differences[name]) + 10 * MOVE   // a smooth loss bends far less
    }
    const off = PARAMETERS.filter(name => !kinks[name] && Math.abs(gradients[name] - differences[name]) > 1e-6 * (1 + all.loss))
    return {all, differences, kinks, off, steps, gradients}
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
  const live = speaker(), graph = div('graph'), products = h('div'), verdict = h('p', {class: 'verdict'})
  const steps = player(root, count, draw, live, 8)
  const fields = {}, cells = {}
  const rows = Object.keys(values).map(name => {
    fields[name] = field(name, () => round(values[name]), value => { values[name] = value; draw() })
    cells[name] = [h('span', {class: 'orange'}), h('span')]
    return [h('span', {class: 'mono'}, name), fields[name], ...cells[name]]
  })
  const numbers = table(['name', 'value', 'gradient', 'by difference'], rows)
  numbers.querySelectorAll('tbody tr').forEach((row, i) => { row.dataset.name = Object.keys(values)[i] })
  const list = choose('Plant a mistake', MISTAKES, mistake, guess), listed = list.querySelector('select')

  function picture({all}, {known, sums, now, lit, colour}) {
    const glow = on => ({stroke: on ? `var(--${colour})` : 'var(--edge)', 'stroke-width': on ? 2.5 : 1})
    const inWords = Object.keys(PLACES).filter(known).map(name =>
      `${name} ${number(all[name])}` + (name in sums ? `, gradient ${number(sums[name])}` : ''))
    const lines = EDGES.map(([from, to, name, x, y, anchor]) => {
      const [x0, y0, x1, y1] = [PLACES[from][0], PLACES[from][1] + 19, PLACES[to][0], PLACES[to][1] - 19]
      const on = now.length ? lit.includes(name) || now.some(p => p.of == from && p.from == to) : lit.includes(to)
      const long = Math.hypot(x1 - x0, y1 - y0), [ux, uy] = [(x1 - x0) / long, (y1 - y0) / long], [tx, ty, s] = now.length && on ? [x0, y0, 1] : [x1, y1, -1]
      const head = [[8, 4], [8, -4]].map(([a, b]) => `${(tx + s * a * ux - b * uy).toFixed(1)},${(ty + s * a * uy + b * ux).toFixed(1)}`)   // forwards down, backwards up
      return h('g', {'data-name': name in values ? name : null},
        h('line', {x1: x0, y1: y0, x2: x1, y2: y1, ...glow(on)}), h('path', {d: `M${tx},${ty}L${head.join('L')}z`, fill: on ? `var(--${colour})` : 'var(--edge)', class: 'head'}),
        write(x, y, name, 'label', anchor), name in values && write(x, y + 13, number(values[name], 3), 'blue', anchor),
        name in sums && write(x, y + 26, number(sums[name], 3), 'orange', anchor))
    })
    const nodes = Object.entries(PLACES).map(([name, [x, y]]) => h('g', {'data-name': name},
      h('rect', {x: x - 50, y: y - 19, width: 100, height: 38, rx: 5, fill: 'var(--wash)', ...glow(lit.includes(name))}),
      write(x - 44, y - 3, name, 'bold'), known(name) && write(x + 44, y - 3, number(all[name], 3), 'blue', 'end'),
      name in sums && write(x + 44, y + 12, number(sums[name], 3), 'orange', 'end')))
    return h('svg', {width: 370, height: 344, viewBox: '0 0 370 344', role: 'img', 'aria-label': `The model as a graph: ${inWords.join('; ')}`}, lines, nodes)
  }
  function productTable(now) {
    const orange = x => ['orange', number(x, 3)]
    const both = now.filter(p => p.sum != p.down).map(p => [p.of, '', 'in all', orange(p.sum)])
    const all = table(['gradient', 'upstream', '× local', '= passed on'], [...now.map(p => [p.of, orange(p.upstream),
      [p.localName.length > 12 ? 'blue long' : 'blue', (p.localName && p.localName + ' = ') + number(p.local, 3)], orange(p.down)]), ...both])
    const columns = {1: 'upstream', 2: 'local', 3: 'passed on'}   // the text asks for a column by its name
    for (const cell of all.querySelectorAll('th, td')) cell.dataset.name = columns[cell.cellIndex] ?? cell.textContent
    return all
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
  function judge({off, kinks}, sums) {   // what the comparison says of the gradients known so far
    const known = PARAMETERS.filter(name => name in sums), wrong = off.filter(name => known.includes(name))
    if (!known.length) return 'No gradient of a parameter is known yet.'
    if (wrong.length) return `${wrong.length} of ${known.length} gradients disagree with the difference: ${wrong.join('; ').replaceAll(', ', ',\u00a0')}.`
    const near = known.filter(name => kinks[name]).length, compared = known.length - near
    return `${known.length} of ${PARAMETERS.length} gradients are known` + (near ? `. ${compared} agree with the difference; ${near} can’t be judged, because a kink is near.` : ', and they agree with the difference.') +
      (mistake == 'none' ? '' : known.length < PARAMETERS.length ? ' Step on.' : ' With these numbers nobody can see the mistake. Set b1[1] to −1.')
  }

  function draw() {
    const state = compute(), now = reached(steps.step, state)
    graph.replaceChildren(picture(state, now))
    products.replaceChildren(productTable(now.now))
    live.set(sentence(steps.step, state.all, now.now))
    for (const name of PARAMETERS) {
      const known = name in now.sums, wrong = known && state.off.includes(name)
      cells[name][0].textContent = known ? number(state.gradients[name], 6) : '·'
      cells[name][1].textContent = state.kinks[name] ? 'a kink is near' : (wrong ? '≠ ' : '') + number(state.differences[name], 6)
      cells[name][1].classList.toggle('off', wrong)
    }
    verdict.textContent = judge(state, now.sums)
  }
  function downhill() {
    if (steps.step < count()) {   // no step without a gradient
      steps.go(count())
      return live.set(`First the backward pass: now all ${PARAMETERS.length} gradients are known. Press again to move against them.`)
    }
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
  function guess(name) {   // a choice from the list plants a mistake, or guesses one that is hidden
    if (quiz && name != mistake) { listed.value = ''; return live.set(`No, it isn’t that: ${MISTAKES[name]}. Look again, or change a number.`) }
    const found = quiz
    quiz = false
    mistake = name
    steps.go(count())
    live.set((found ? 'Found: ' : 'Planted: ') + MISTAKES[name] + '. ' + verdict.textContent)
  }
  function hide() {   // one of them, not the same as the last
    const others = Object.keys(MISTAKES).filter(name => name != 'none' && name != mistake)
    mistake = others[Math.floor(random(seed++).uniform() * others.length)]
    quiz = true
    listed.value = ''
    steps.go(count())
    live.set('A mistake is hidden in the backward pass. Compare the columns, step back, change numbers; then choose it from the list.')
  }
  link(root)
  answer(root)

  return {
    draw, go: steps.go,
    view: [steps.element, live.element,
      div('stage sides passes', graph,
        fold(root, 'products', 'The products of this step', scrolling('The products of this step', products)),
        fold(root, 'numbers', 'The numbers, to change and compare', scrolling('The numbers', numbers), verdict,
          div('row', button('Move downhill', downhill), button('First values', firstValues)),
          hint(`Blue: values, forwards. Orange: gradients, backwards. By difference: the loss with this parameter ${MOVE} higher, ` +
            `less the loss with it ${MOVE} lower, over ${2 * MOVE}.`)),
        div('row mistakes off-stage', list, button('Hide one from me', hide)))],
    get state() { return {step: steps.step, values, mistake, quiz, ...compute()} }}
})
