// The training view: a network 2 → 16 → 16 → 2 with ReLU, trained with cross-entropy by gradient descent on all points at once.

const SIZES = [2, 16, 16, 2], POINTS = 200, REACH = [2, 1.5], MOST = 5000
const RATES = [.01, .03, .1, .3, 1, 3]
const RAISED = {'-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹'}
const turn = (angle, radius) => [radius * Math.cos(angle), radius * Math.sin(angle)]
const PROBLEMS = {   // where a point of class c lies, u from 0 to 1 along its curve, and how far noise moves it
  moons: {title: 'two moons', noise: .1, place: (u, c) => { const [x, y] = turn(Math.PI * (u + c), 1); return [x + c - .5, y + .6 * c - .3] }},
  circles: {title: 'two circles', noise: .1, place: (u, c) => turn(2 * Math.PI * u, c ? .5 : 1.15)},
  spiral: {title: 'two spirals', noise: .05, place: (u, c) => turn(Math.PI * (2.5 * u + c), .15 + 1.15 * u)}}
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
function forward(params, x) {
  const outs = [x]
  params.forEach(({n, m, w, b}, l) => {
    const out = Float64Array.from(b), h = outs[l]
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j] += h[i] * w[i * m + j]
    if (l < params.length - 1) for (let j = 0; j < m; j++) if (out[j] <= 0) out[j] = 0
    outs.push(out)
  })
  return outs
}
// Loss and gradients, averaged over all points: the backward pass of the lessons, a point at a time
function gradients(params, {x, y}) {
  const grads = params.map(({n, m}) => ({w: new Float64Array(n * m), b: new Float64Array(m)}))
  let loss = 0, right = 0
  x.forEach((point, k) => {
    const outs = forward(params, point), [a, b] = outs.at(-1), top = Math.max(a, b)
    const logSum = top + Math.log(Math.exp(a - top) + Math.exp(b - top))
    loss += logSum - (y[k] ? b : a)
    right += (b > a) == (y[k] == 1)
    let g = [a, b].map((z, c) => (Math.exp(z - logSum) - (c == y[k])) / x.length)   // softmax less target
    for (let l = params.length - 1; l >= 0; l--) {
      const {n, m, w} = params[l], h = outs[l], below = new Float64Array(n)
      for (let j = 0; j < m; j++) grads[l].b[j] += g[j]
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < m; j++) { grads[l].w[i * m + j] += h[i] * g[j]; below[i] += w[i * m + j] * g[j] }
        if (l && h[i] <= 0) below[i] = 0   // this ReLU was off
      }
      g = below
    }
  })
  return {grads, loss: loss / x.length, accuracy: right / x.length}
}

bring('training_view', (root, {problem, start, rate}) => {
  let seed = 1, data, params, losses, now
  const live = speaker(), curve = div(''), canvas = h('canvas', {role: 'img', width: 400, height: 300})

  function reset() {
    run.stop()
    data = makeData(problem)
    params = makeParams(start, seed)
    now = gradients(params, data)
    losses = [now.loss]
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
  const runButton = button('Run', () => run.running ? run.stop() : run.start(), {class: 'main'})
  const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches   // then the picture changes twice a second
  const run = loop(root, () => {
    let going = true
    for (let i = 0; i < (still() ? 50 : 4) && going; i++) going = step()
    draw()
    return going
  }, () => still() ? 500 : 30, on => { runButton.textContent = on ? 'Pause' : 'Run'; live.quiet(on) })

  function surface() {
    const c = canvas.getContext('2d'), {width, height} = canvas, [W, H] = [80, 60]
    const colours = ['--grey', '--blue'].map(name => getComputedStyle(root).getPropertyValue(name))
    c.clearRect(0, 0, width, height)
    for (let r = 0; r < H; r++) for (let q = 0; q < W; q++) {   // each patch in the colour of its class, the stronger the surer
      const [a, b] = forward(params, [((q + .5) / W * 2 - 1) * REACH[0], (1 - (r + .5) / H * 2) * REACH[1]]).at(-1)
      const p = 1 / (1 + Math.exp(a - b))
      c.globalAlpha = Number.isFinite(p) ? Math.abs(p - .5) * .7 : 0
      c.fillStyle = colours[+(p > .5)]
      c.fillRect(q * width / W, r * height / H, width / W, height / H)
    }
    c.globalAlpha = 1
    data.x.forEach(([x, y], k) => {   // discs are one class, squares the other
      const [X, Y] = [(x / REACH[0] + 1) / 2 * width, (1 - y / REACH[1]) / 2 * height]
      c.beginPath()
      data.y[k] ? c.arc(X, Y, 4, 0, 7) : c.rect(X - 3.5, Y - 3.5, 7, 7)
      c.fillStyle = colours[data.y[k]]
      c.fill()
    })
  }
  function chart(text) {
    const steps = losses.length - 1, end = Math.max(100, steps), every = Math.ceil(losses.length / 400), guess = Math.log10(Math.LN2)
    const powers = losses.map(Math.log10), finite = powers.filter(Number.isFinite)
    const low = Math.min(-3, Math.floor(Math.min(...finite))), high = Math.max(1, Math.ceil(Math.max(...finite)))
    const apart = Math.ceil((high - low) / 10), yTicks = {}   // a tick a decade; fewer if that would be more than ten
    for (let d = low; d <= high; d += apart) yTicks[d] = Math.abs(d) < 4 ? number(10 ** d) : '10' + [...`${d}`].map(c => RAISED[c]).join('')
    const {svg, X, Y, line} = axes({width: curve.clientWidth || 330, height: 250, x: [0, end], y: [low, high], xLabel: 'steps',
      xTicks: {0: 0, [end / 2]: Math.round(end / 2), [end]: end}, yTicks, label: `Loss by step, on a logarithmic axis. ${text}`})
    line([[0, guess], [end, guess]], 'var(--green)', 'theory')
    svg.append(write(X(end), Y(guess) + 14, 'ln 2: a guess', 'green', 'end'),
      h('text', {x: 2, y: 112, 'text-anchor': 'middle', transform: 'rotate(-90 2 112)'}, 'loss'))
    line(powers.map((v, i) => [i, v]).filter((_, i) => i % every == 0 || i == steps), 'var(--blue)')
    return svg
  }
  function draw() {
    const at = `Step ${losses.length - 1}: `
    const text = at + (Number.isFinite(now.loss) ? `loss ${number(now.loss, 3)}, ${(100 * now.accuracy).toFixed(1)} % of the points on the right side.`
      : `the loss is ${number(now.loss)}. The steps were too long.`)
    surface()
    canvas.setAttribute('aria-label', `The plane, coloured by what the network says. ${text}`)
    curve.replaceChildren(chart(text))
    live.set(text)
  }
  watch(curve, draw)

  return {
    draw: reset, step: (n = 1) => { while (n--) step(); draw() },
    view: [
      div('row', choose('Problem', titles(PROBLEMS), problem, value => { problem = value; reset() }),
        choose('Initialisation', titles(STARTS), start, value => { start = value; reset() }),
        choose('Learning rate', Object.fromEntries(RATES.map(r => [r.toFixed(2), r])),   // whole numbers as keys would come first
          rate.toFixed(2), value => { rate = +value })),
      div('row', runButton, button('Step', () => { run.stop(); step(); draw() }), button('Reset', reset),
        button('Another start', () => { seed++; reset() })),
      live.element, div('sides stage', canvas, curve),
      hint('Discs and squares are the two classes; the plane is coloured by what the network says, the stronger the surer. ' +
        'Two hidden layers of 16 units with ReLU; each step is taken on all 200 points.')],
    get state() {
      return {problem, start, rate, step: losses.length - 1, losses, running: run.running, accuracy: now.accuracy, data,
        params: params.map(({n, m, w, b}) => ({n, m, w: [...w], b: [...b]}))}
    }}
})
