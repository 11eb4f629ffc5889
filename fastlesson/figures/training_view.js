// The training view: a network 2 → 16 → 16 → 2 with ReLU, trained with cross-entropy by gradient descent on all points at once.

const SIZES = [2, 16, 16, 2], POINTS = 200, REACH = [2, 1.5], MOST = 5000, OPENING = 300   // steps at most, and when it opens
const RATES = [.01, .03, .1, .3, 1, 3]
const turn = (angle, radius) => [radius * Math.cos(angle), radius * Math.sin(angle)]
const PROBLEMS = {   // where a point of class c lies, u from 0 to 1 along its curve, and how far noise moves it
  moons: {title: 'moons', noise: .1, place: (u, c) => { const [x, y] = turn(Math.PI * (u + c), 1); return [x + c - .5, y + .6 * c - .3] }},
  circles: {title: 'circles', noise: .1, place: (u, c) => turn(2 * Math.PI * u, c ? .5 : 1.15)},
  spiral: {title: 'spirals', noise: .05, place: (u, c) => turn(Math.PI * (2.5 * u + c), .15 + 1.15 * u)}}
const STARTS = {   // the standard deviation of the weights of a layer with n inputs and m outputs; biases start at 0
  He: {title: 'He: √(2/n)', std: n => Math.sqrt(2 / n)}, LeCun: {title: 'LeCun: √(1/n)', std: n => Math.sqrt(1 / n)},
  Glorot: {title: 'Glorot: √(2/(n + m))', std: (n, m) => Math.sqrt(2 / (n + m))},
  default: {title: 'PyTorch: ±√(1/n)', std: n => Math.sqrt(1 / n), uniform: true},
  small: {title: 'small: 0.01', std: () => .01}, large: {title: 'large: 3', std: () => 3}, zero: {title: 'all zero', std: () => 0}}

function makeData(problem) {
  const {uniform, normal} = random(1), {place, noise} = PROBLEMS[problem], y = Array.from({length: POINTS}, (_, k) => k % 2)
  return {y, x: y.map(c => place(uniform(), c).map(v => v + noise * normal()))}
}
function makeParams(start, seed) {
  const {uniform, normal} = random(seed), {std, uniform: flat} = STARTS[start]
  return SIZES.slice(1).map((m, l) => {
    const n = SIZES[l], draw = () => std(n, m) * (flat ? 2 * uniform() - 1 : normal())
    return {n, m, w: Float64Array.from({length: n * m}, draw), b: new Float64Array(m)}
  })
}
// What every layer puts out for one point, from the point itself to the logits. w is (n, m), row after row.
const room = () => SIZES.map(n => new Float64Array(n))
function forward(params, x, outs = room()) {
  outs[0].set(x)
  params.forEach(({n, m, w, b}, l) => {
    const h = outs[l], out = outs[l + 1]
    out.set(b)
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j] += h[i] * w[i * m + j]
    if (l < params.length - 1) for (let j = 0; j < m; j++) if (out[j] <= 0) out[j] = 0
  })
  return outs
}
// Loss and gradients, averaged over all points: the backward pass of the lessons, a point at a time
function gradients(params, {x, y}) {
  const grads = params.map(({n, m}) => ({w: new Float64Array(n * m), b: new Float64Array(m)})), outs = room(), ups = room()
  let loss = 0, right = 0
  x.forEach((point, k) => {
    const [a, b] = forward(params, point, outs).at(-1), top = Math.max(a, b)
    const logSum = top + Math.log(Math.exp(a - top) + Math.exp(b - top))
    loss += logSum - (y[k] ? b : a)
    right += (b > a) == (y[k] == 1)
    ups.at(-1).set([a, b].map((z, c) => (Math.exp(z - logSum) - (c == y[k])) / x.length))   // softmax less target
    for (let l = params.length - 1; l >= 0; l--) {
      const {n, m, w} = params[l], {w: ofW, b: ofB} = grads[l], h = outs[l], g = ups[l + 1], below = ups[l]
      for (let j = 0; j < m; j++) ofB[j] += g[j]
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let j = 0; j < m; j++) { ofW[i * m + j] += h[i] * g[j]; sum += w[i * m + j] * g[j] }
        below[i] = l && h[i] <= 0 ? 0 : sum   // 0 where this ReLU was off
      }
    }
  })
  return {grads, loss: loss / x.length, accuracy: right / x.length}
}

bring('training_view', (root, {problem, start, rate}) => {
  let seed = 1, kind = 1, cross = [0, 0], opening = true, data, params, losses, now
  const live = speaker(), curve = div('curve'), sizes = h('p', {class: 'hint sizes'})
  const surface = h('canvas', {role: 'img', width: 80, height: 60}), points = div('points')
  const units = [0, 1].map(() => h('canvas', {role: 'img', width: 16 * 21 - 1, height: 15}))
  const plane = h('div', {class: 'plane', tabindex: 0, role: 'application', 'aria-label': 'The plane. Arrow keys move a cross, Enter adds a point there.',
    onclick: e => { const box = plane.getBoundingClientRect(); add(2 * (e.clientX - box.left) / box.width - 1, 1 - 2 * (e.clientY - box.top) / box.height) },
    onkeydown: e => {
      const by = {ArrowLeft: [-.05, 0], ArrowRight: [.05, 0], ArrowUp: [0, .05], ArrowDown: [0, -.05]}[e.key]
      if (by) cross = cross.map((v, i) => Math.max(-1, Math.min(1, v + by[i])))
      else if (e.key == 'Enter' || e.key == ' ') add(...cross)
      else return
      e.preventDefault()
      drawPoints()
    }}, surface, points)

  function restart() {   // the network and the points as they were before the first step
    run.stop()
    opening = false
    data = makeData(problem)
    params = makeParams(start, seed)
    now = gradients(params, data)
    losses = [now.loss]
  }
  const reset = () => { restart(); draw() }
  function open() {   // nobody should have to start it to see what it is about
    restart()
    while (losses.length <= OPENING && step());
    opening = true
    draw()
  }
  function step() {
    params.forEach((layer, l) => {
      for (const name of ['w', 'b']) now.grads[l][name].forEach((g, i) => { layer[name][i] -= rate * g })
    })
    now = gradients(params, data)
    losses.push(now.loss)
    return Number.isFinite(now.loss) && losses.length <= MOST
  }
  function add(x, y) {   // a point more, in parts of the plane's reach
    data.x.push([x * REACH[0], y * REACH[1]])
    data.y.push(kind)
    now = gradients(params, data)
    draw()
  }
  const runButton = button('Run', () => {
    if (run.running) return run.stop()
    if (opening) restart()
    run.start()
  }, {class: 'main'})
  const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches   // then the picture changes twice a second
  const run = loop(root, () => {
    let going = true
    for (let i = 0; i < (still() ? 50 : 4) && going; i++) going = step()
    draw()
    return going
  }, () => still() ? 500 : 30, on => { runButton.textContent = on ? 'Pause' : 'Run'; live.quiet(on) })

  const at = (q, r, W, H, outs) => forward(params, [((q + .5) / W * 2 - 1) * REACH[0], (1 - (r + .5) / H * 2) * REACH[1]], outs)
  function drawSurface() {   // each patch in the colour of its class, the stronger the surer
    const colours = ['--grey', '--blue'].map(name => ink(root, name)), outs = room()
    paint(surface, (q, r) => {
      const [a, b] = at(q, r, surface.width, surface.height, outs).at(-1), p = 1 / (1 + Math.exp(a - b))
      return [colours[+(p > .5)], Number.isFinite(p) ? Math.abs(p - .5) * .7 : 0]
    })
  }
  function drawPoints() {   // discs are one class, squares the other
    const place = k => [(data.x[k][0] / REACH[0] + 1) * 200, (1 - data.x[k][1] / REACH[1]) * 150].map(v => +v.toFixed(1))
    const dots = (c, stroke, width, cap) => h('path', {stroke, 'stroke-width': width, 'stroke-linecap': cap, d: data.x.map((_, k) => data.y[k] == c ? `M${place(k)}h0` : '').join('')})
    const [x, y] = [(cross[0] + 1) * 200, (1 - cross[1]) * 150]
    points.replaceChildren(h('svg', {viewBox: '0 0 400 300', role: 'img', 'aria-label': `${data.x.length} points of two classes`},
      dots(0, 'var(--grey)', 7, 'square'), dots(1, 'var(--blue)', 8, 'round'),
      h('path', {class: 'cross', d: `M${x - 9},${y}h18M${x},${y - 9}v18`})))
  }
  function drawUnits() {   // where on the plane each hidden unit is on: blue, the stronger the larger what it puts out
    const [W, H] = [20, 15], never = [0, 0], [grey, blue] = ['--grey', '--blue'].map(name => ink(root, name))
    const outs = Array.from({length: W * H}, (_, i) => at(i % W, Math.floor(i / W), W, H))
    units.forEach((canvas, l) => {
      const c = canvas.getContext('2d')
      c.clearRect(0, 0, canvas.width, canvas.height)
      for (let j = 0; j < SIZES[l + 1]; j++) {
        const values = outs.map(out => out[l + 1][j]), most = Math.max(...values)
        if (!(most > 0)) never[l]++
        Object.assign(c, {globalAlpha: .1, fillStyle: grey}).fillRect(j * 21, 0, W, H)
        c.fillStyle = blue
        values.forEach((v, i) => { if (v > 0) { c.globalAlpha = Math.min(1, v / most); c.fillRect(j * 21 + i % W, Math.floor(i / W), 1, 1) } })
      }
      canvas.setAttribute('aria-label', `Where the units of hidden layer ${l + 1} are on; ${never[l]} of ${SIZES[l + 1]} nowhere`)
    })
  }
  function chart(text) {
    const steps = losses.length - 1, end = [100, 300, 1000, 3000, 10000].find(v => v >= steps), every = Math.ceil(losses.length / 400), guess = Math.log10(Math.LN2)
    const powers = losses.map(Math.log10), finite = powers.filter(Number.isFinite)
    const low = Math.min(-3, Math.floor(Math.min(...finite))), high = Math.max(1, Math.ceil(Math.max(...finite)))
    const apart = Math.ceil((high - low) / 10), yTicks = {}   // a tick a decade; fewer if that would be more than ten
    for (let d = low; d <= high; d += apart) yTicks[d] = Math.abs(d) < 4 ? number(10 ** d) : power(d)
    const width = curve.clientWidth || 330, height = plane.offsetWidth < root.clientWidth / 2 ? 230 : 150   // beside the plane, or below it
    const {svg, X, Y, line} = axes({width, height, x: [0, end], y: [low, high], xLabel: 'steps',
      xTicks: {0: 0, [end / 2]: end / 2, [end]: end}, yTicks, label: `Loss by step, on a logarithmic axis. ${text}`})
    line([[0, guess], [end, guess]], 'var(--green)', 'theory')
    svg.append(write(X(end), Y(guess) - 6, 'ln 2: a guess', 'green', 'end'),
      h('text', {x: 2, y: height / 2 - 13, 'text-anchor': 'middle', transform: `rotate(-90 2 ${height / 2 - 13})`}, 'loss'))
    line(powers.map((v, i) => [i, v]).filter((_, i) => i % every == 0 || i == steps), 'var(--blue)')
    return svg
  }
  function draw() {
    const at = `Step ${losses.length - 1}: `
    const text = at + (Number.isFinite(now.loss) ? `loss ${number(now.loss, 3)}, ${(100 * now.accuracy).toFixed(1)} % of the points on the right side.`
      : `the loss is ${number(now.loss)}. The steps were too long.`)
    drawSurface()
    drawPoints()
    drawUnits()
    surface.setAttribute('aria-label', `The plane, coloured by what the network says. ${text}`)
    curve.replaceChildren(chart(text))
    const rms = now.grads.map(({w}) => number(Math.sqrt(w.reduce((sum, g) => sum + g * g, 0) / w.length), 2))
    sizes.replaceChildren('Gradients (RMS): ', h('b', {class: 'orange'}, rms.join(' · ')))
    live.set(text)
    if (!run.running) runButton.textContent = opening ? 'Replay' : 'Run'
  }
  watch(curve, () => now && draw())

  return {
    draw() { reset(); near(root, open) }, step: (n = 1) => { while (n--) step(); draw() },
    view: [
      div('row thirds', choose('Problem', titles(PROBLEMS), problem, value => { problem = value; reset() }),
        choose('Initialisation', titles(STARTS), start, value => { start = value; reset() }),
        choose('Learning rate', Object.fromEntries(RATES.map(r => [r.toFixed(2), r])),   // whole numbers as keys would come first
          rate.toFixed(2), value => { rate = +value })),
      div('row presets', runButton, button('Step', () => { run.stop(); opening = false; step(); draw() }), button('Reset', reset),
        button('Another start', () => { seed++; reset() })),
      live.element, div('stage', div('sides', plane, curve), div('units', h('span', {}, 'layer 1'), units[0], h('span', {}, 'layer 2'), units[1]), sizes),
      div('row', hint('Two hidden layers of 16 ReLU units; small pictures: where each is on. Click the plane to add a point.'),
        choose('A click adds', {1: 'a disc', 0: 'a square'}, kind, value => { kind = +value }))],
    get state() { return {problem, start, rate, step: losses.length - 1, losses, running: run.running, accuracy: now.accuracy, data,
      grads: now.grads.map(({w, b}) => ({w: [...w], b: [...b]})), params: params.map(({n, m, w, b}) => ({n, m, w: [...w], b: [...b]}))} }}
})
