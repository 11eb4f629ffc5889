// A slope by trying: the difference of a function over a step s, in the real arithmetic of float64 or float32.
// In float32 every operation is rounded by Math.fround, so each result is the one that float32 hardware gives.

const PRECISIONS = {float64: {title: 'float64', round: v => v, eps: 2**-52, digits: 16}, float32: {title: 'float32', round: Math.fround, eps: 2**-23, digits: 8}}
const METHODS = {central: {title: 'central', mark: '∛ε', power: 1 / 3}, one_sided: {title: 'one-sided', mark: '√ε', power: 1 / 2}}
// f computes, rounding by r; `slopes` are the first three derivatives, and `sides` the slopes on both sides of a kink at 0.
const kinked = (title, f, sides) => ({title, f, sides, slopes: x => [x ? sides[+(x > 0)] : NaN, 0, 0]})
const FUNCTIONS = {
  exp: {title: 'eˣ', f: (x, r) => r(Math.exp(x)), slopes: x => [Math.exp(x), Math.exp(x), Math.exp(x)]},
  sin: {title: 'sin x', f: (x, r) => r(Math.sin(x)), slopes: x => [Math.cos(x), -Math.sin(x), -Math.cos(x)]},
  cube: {title: 'x³', f: (x, r) => r(r(x * x) * x), slopes: x => [3 * x * x, 6 * x, 6]},
  large: {title: '10⁶ + sin', f: (x, r) => r(1e6 + r(Math.sin(x))), slopes: x => [Math.cos(x), -Math.sin(x), -Math.cos(x)]},
  relu: kinked('ReLU(x)', x => x > 0 ? x : 0, [0, 1]),
  abs: kinked('|x|', Math.abs, [-1, 1])}

const EXPONENTS = Array.from({length: 161}, (_, i) => (i - 160) / 10)   // of the step: from 1e-16 to 1
const [LOW, HIGH] = [-14, 2]   // of the axis for errors, in powers of ten

function difference({f}, x, s, r, method) {
  const above = f(r(x + s), r)
  return method == 'central' ? r(r(above - f(r(x - s), r)) / r(2 * s)) : r(r(above - f(x, r)) / s)
}

bring('step_slider', (root, options) => {
  const chosen = {method: 'central', ...options}   // function, x, precision, exponent
  let now = null

  function compute() {
    const fn = FUNCTIONS[chosen.function], {round: r, eps} = PRECISIONS[chosen.precision], x = r(chosen.x)
    const [exact, second, third] = fn.slopes(x), size = Math.abs(fn.f(x, r)), moved = Math.abs(x * exact)
    const at = (exponent, method) => {
      const s = r(10 ** exponent), value = difference(fn, x, s, r, method)
      // what theory says: Taylor's next term; and half an ε of f at both points and of the x that f is taken at
      const [truncation, rounding] = method == 'central' ? [s * s / 6 * Math.abs(third), eps / s * (size + moved) / 2]
        : [s / 2 * Math.abs(second), eps / s * (size + moved / 2)]
      return {s, value, error: Math.abs(value - exact), truncation, rounding}
    }
    const curves = Object.fromEntries(Object.keys(METHODS).map(method => [method, EXPONENTS.map(e => at(e, method))]))
    return {fn, x, exact, eps, curves, ...at(chosen.exponent, chosen.method), best: eps ** METHODS[chosen.method].power,
      lost: r(x + r(10 ** chosen.exponent)) == x, over: fn.sides && Math.abs(x) < r(10 ** chosen.exponent)}
  }

  // The V: errors by step, on logarithmic axes
  const log = v => v ? Math.log10(v) : -Infinity
  function picture() {
    const {curves, eps, error, s} = now, width = plot.clientWidth
    const ticks = (from, to, by) => Object.fromEntries(Array.from({length: (to - from) / by + 1}, (_, i) => [from + i * by, power(from + i * by)]))
    const {svg, X, Y, line} = axes({width, height: 180, x: [-16, 0], y: [LOW, HIGH], xTicks: ticks(-16, 0, 4), yTicks: ticks(LOW, HIGH, 4), xLabel: 'step s',
      label: `Error of both differences by step, from ten to the minus 16 to 1. The point: step ${number(s, 2)}, error ${number(error, 2)}`})
    const draw = (key, list, colour, name) => line(list.map(p => [log(p.s), log(p[key])]).filter(([, v]) => key == 'error' || v >= LOW && v <= HIGH), colour, name)
    const other = Object.keys(METHODS).find(method => method != chosen.method), mine = curves[chosen.method]
    for (const [key, {mark, power}] of Object.entries(METHODS)) {   // where the best step should lie
      const at = X(log(eps ** power)), mine = key == chosen.method
      svg.append(h('g', {'data-name': key}, h('line', {x1: at, x2: at, y1: Y(LOW), y2: Y(HIGH) + 12, ...mine ? {stroke: 'var(--green)'} : {class: 'grid'}}),
        write(at, Y(HIGH) + 8, mark, mine ? 'green' : '', 'middle')))
    }
    if (Number.isNaN(error)) svg.append(write((X(-16) + X(0)) / 2, Y(-6), 'no derivative, so no error', '', 'middle'))
    else {
      draw('error', curves[other], 'var(--grey)', 'thin')
      draw('error', mine, 'var(--blue)')
      for (const key of ['truncation', 'rounding']) {
        if (!mine.some(p => p[key])) continue   // a straight line has no truncation
        draw(key, mine, 'var(--green)', 'theory')
        svg.lastChild.dataset.name = key
      }
      svg.append(h('circle', {cx: X(log(s)), cy: Y(log(error)), r: 6, fill: 'var(--orange)', stroke: 'currentColor'}))
    }
    plot.replaceChildren(svg)
  }
  // The function under a microscope that shows x ± 2s: the values that are computed, the tangent, and the line through two points
  function microscope() {
    const {fn, x, s, exact, value} = now, r = PRECISIONS[chosen.precision].round, f = v => fn.f(v, r), width = lens.clientWidth
    const places = Array.from({length: 401}, (_, i) => (i / 100 - 2) * s), rise = d => f(r(x + d)) - f(x)
    const values = places.map(rise), top = Math.max(...values.map(Math.abs), Number.isNaN(exact) ? 0 : 2 * s * Math.abs(exact)) * 1.1 || s
    const name = n => `x${n < 0 ? ' − ' : ' + '}s`
    const {svg, X, Y, line} = axes({width, height: 180, x: [-2 * s, 2 * s], y: [-top, top], xTicks: {[-s]: name(-1), 0: 'x', [s]: name(1)},
      yTicks: {[-top / 1.1]: '', 0: 'f(x)', [top / 1.1]: ''}, xLabel: 'what is computed from x − 2s to x + 2s',
      label: `The function near x, ${number(4 * s, 2)} wide: computed values, the tangent, and the line whose slope is the difference ${number(value)}`})
    line(places.map((d, i) => [d, values[i]]), 'var(--blue)')
    if (!Number.isNaN(exact)) line([-2 * s, 2 * s].map(d => [d, exact * d]).filter(([, v]) => Math.abs(v) <= top), 'var(--green)', 'theory')
    const ends = [chosen.method == 'central' ? -s : 0, s]
    line(ends.map(d => [d, rise(d)]), 'var(--orange)')
    for (const side of [-1, 1]) {   // how high the lens reaches, where the function isn't
      const left = side * (exact || 1) > 0
      svg.append(write(left ? 48 : width - 10, Y(side * top / 1.1) - 4, `f(x) ${side > 0 ? '+' : '−'} ${number(top / 1.1, 2)}`, '', left ? 'start' : 'end'))
    }
    svg.append(...ends.map(d => h('circle', {cx: X(d), cy: Y(rise(d)), r: 4, fill: 'var(--orange)'})))
    lens.replaceChildren(svg)
  }
  // Both numbers, with the digits that agree in bold
  function digits() {
    const {value, exact} = now, text = v => Number.isNaN(v) ? 'none: a kink' : v.toPrecision(PRECISIONS[chosen.precision].digits).replace('-', '−')
    const [a, b] = [text(value), text(exact)]
    let same = 0
    while (same < a.length && a[same] == b[same] && /[\d.−]/.test(a[same])) same++
    const row = (name, text, colour) => h('div', {}, name.padEnd(12), h('b', {class: colour}, text.slice(0, same)), h('span', {class: colour}, text.slice(same)))
    numbers.replaceChildren(row('difference', a, 'orange'), row('derivative', b, 'green'))
  }
  function sentence() {
    const {fn, exact, value, error, truncation, rounding, lost, over} = now
    if (Number.isNaN(exact)) return `At the kink the slope is ${number(fn.sides[0])} on the left and ${number(fn.sides[1])} on the right: there is no derivative. ` +
      `The difference says ${number(value)}.`
    if (lost) return 'x + s is rounded to x itself: the step is lost, and so is the slope.'
    if (over && error) return `The step reaches over the kink, so the difference mixes two slopes: it is off by ${number(error, 2)}. Take a smaller step.`
    if (!error) return 'No error at all: here every operation happens to be exact.'
    const right = Math.max(0, Math.floor(-Math.log10(error / (Math.abs(exact) || 1)))), ratio = truncation / rounding
    return `Off by ${number(error, 2)}: ${right || 'no'} digit${right == 1 ? ' is' : 's are'} right. Theory: truncation ${number(truncation, 2)}, ` +
      `rounding at most ${number(rounding, 2)}. ` + (ratio > 30 ? 'Take a smaller step.' : ratio < 1 / 30 ? 'Take a larger step.' : 'Here the two are about equal.')
  }

  const plot = div('v'), lens = div('lens'), numbers = h('pre'), live = speaker(), change = key => value => { chosen[key] = value; draw() }
  const step = slider('Step s', {min: -16, max: 0, step: .1, value: chosen.exponent}, change('exponent'), v => number(10 ** v, 2))
  const place = slider('Point x', {min: -2, max: 2, step: .05, value: chosen.x}, change('x'), number)
  const to = e => {   // a step by pointing at the V
    const box = plot.getBoundingClientRect(), v = -16 + (e.clientX - box.left - 44) / (box.width - 52) * 16
    step.set(chosen.exponent = Math.max(-16, Math.min(0, Math.round(v * 10) / 10)))
    draw()
  }
  plot.addEventListener('pointerdown', e => { plot.setPointerCapture(e.pointerId); to(e) })
  plot.addEventListener('pointermove', e => { if (e.buttons) to(e) })
  function draw() {
    now = compute()
    picture()
    microscope()
    digits()
    live.set(sentence())
  }
  link(root)
  answer(root)
  for (const part of [plot, lens]) watch(part, () => draw())

  return {
    draw,
    view: [div('row thirds', choose('Function', titles(FUNCTIONS), chosen.function, change('function')),
      choose('Precision', titles(PRECISIONS), chosen.precision, change('precision')), choose('Difference', titles(METHODS), chosen.method, change('method'))),
    div('row', step.element, place.element), div('stage sides', plot, lens), numbers, live.element,
    hint('Blue: what is computed; grey: the other difference. Green: what theory says, and the tangent. Orange: the difference at this step.')],
    get state() { const {fn, ...rest} = now; return {...chosen, ...rest} }}
})
