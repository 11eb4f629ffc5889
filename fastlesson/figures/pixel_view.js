// The pixel view: an image as numbers, a few at a time, and what becomes of all numbers of a set when a mean is subtracted
// and they are divided by a standard deviation: those of the set itself, or, for comparison, those of another set.

const SIDE = 28, REACH = 2, GROUP = 4   // pixels across an image; numbers shown to each side; stored values in one bar
const clip = v => Math.max(0, Math.min(SIDE - 1, v))
const RIGHT = 'the training set', ALONE = 'this image alone'

bring('pixel_view', (root, {images, counts, mean, std, other}) => {
  const pixels = images.map(text => Uint8Array.from(atob(text), c => c.charCodeAt(0)))   // 0 (paper) to 255 (ink), row after row
  const tally = values => values.reduce((c, v) => { c[v]++; return c }, Array(256).fill(0))
  // Mean and standard deviation, as torch computes it, of pixels from 0 to 1 that are given as how often each value occurs
  function moments(counts) {
    let n = 0, sum = 0, squares = 0
    counts.forEach((c, v) => { n += c; sum += c * v / 255 })
    counts.forEach((c, v) => { squares += c * (v / 255 - sum / n)**2 })
    return {n, mean: sum / n, std: Math.sqrt(squares / (n - 1))}
  }
  const set = moments(counts), alone = pixels.map(image => moments(tally([...image]))).map(m => [m.mean, m.std])
  const choices = {[RIGHT]: [mean, std], ...other, [ALONE]: null}
  let image = 0, t = 0, whose = RIGHT, row = 14, column = 14
  const numbers = () => choices[whose] ?? alone[image]   // the mean and the standard deviation that are used
  // On the way from raw (t = 0) the mean is subtracted first (until t = 1/2), then the division sets in
  function shifted(x, [mean, std] = numbers(), at = t) { return (x - Math.min(1, 2 * at) * mean) / (1 + Math.max(0, 2 * at - 1) * (std - 1)) }
  const now = () => ({mean: shifted(set.mean), std: shifted(set.std) - shifted(0)})
  const fixed = (v, digits = 2) => v.toFixed(digits).replace(/^-(?=0?\.?0*$)/, '').replace('-', '−')   // no −0.00

  function open() {   // where a stroke has its edge, as near to the middle as there is one
    let best = Infinity
    pixels[image].forEach((v, k) => {
      const [r, c] = [Math.floor(k / SIDE), k % SIDE], far = (r - 13.5)**2 + (c - 13.5)**2
      if (v > 90 && v < 250 && far < best) [best, row, column] = [far, r, c]
    })
  }
  const live = speaker(), chart = div('chart'), stats = h('p', {class: 'legend'})
  const grey = v => `rgb(${v} ${v} ${v})`
  const picture = (image, canvas) => paint(canvas, (c, r) => [grey(pixels[image][SIDE * r + c]), 1])
  const canvas = () => h('canvas', {width: SIDE, height: SIDE, role: 'img'})
  const large = canvas(), frame = h('rect', {class: 'frame', width: 2 * REACH + 1, height: 2 * REACH + 1}), dot = h('rect', {class: 'frame', width: 1, height: 1})
  const point = e => {
    if (e.type == 'pointerdown') { e.preventDefault(); field.setPointerCapture(e.pointerId); field.focus({focusVisible: false}) }
    const box = field.getBoundingClientRect(), at = (v, from, size) => clip(Math.floor(SIDE * (v - from) / size))
    go(at(e.clientY, box.top, box.height), at(e.clientX, box.left, box.width))
  }
  const field = h('div', {class: 'pixels', tabindex: 0, role: 'application', 'aria-label': 'The image. Arrow keys move from pixel to pixel.',
    onpointerdown: point, onpointermove: point, onkeydown: e => {
      const by = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key]
      if (!by) return
      e.preventDefault()
      go(clip(row + by[0]), clip(column + by[1]))
    }}, large, h('svg', {viewBox: `0 0 ${SIDE} ${SIDE}`, role: 'img', 'aria-label': 'Where the numbers stand'}, frame, dot))
  function go(r, c) { if (r != row || c != column) { [row, column] = [r, c]; draw() } }

  const places = Array.from({length: (2 * REACH + 1)**2}, (_, k) => [Math.floor(k / (2 * REACH + 1)) - REACH, k % (2 * REACH + 1) - REACH])
  const cells = places.map(([r, c]) => h('span', {class: r || c ? 'digit' : 'digit center'}))
  const thumbs = pixels.map((_, i) => {
    const small = canvas()
    small.setAttribute('aria-label', `Image ${i + 1}`)
    return h('button', {type: 'button', class: 'thumb', 'aria-label': `Image ${i + 1}`, onclick: () => { image = i; open(); draw() }}, small)
  })

  function sentence() {
    const v = pixels[image][SIDE * row + column], x = v / 255, [mean, std] = numbers(), z = shifted(x)
    const text = `Row ${row}, column ${column} (number ${SIDE * row + column}): ${v} of 255, or ${fixed(x, 3)}. `
    if (!t) return text
    if (t < 1) return text + `On the way it is ${fixed(z, 3)}.`
    const right = shifted(x, choices[RIGHT])
    return text + `Normalised: (${fixed(x, 3)} − ${fixed(mean, 4)}) / ${fixed(std, 4)} = ${fixed(z)}.` +
      (whose == RIGHT ? '' : ` But the model has learnt it as ${fixed(right)}.`)
  }
  function histogram() {
    const used = [[0, 1], [mean, std], ...Object.values(other), ...alone], all = used.flatMap(u => [shifted(0, u, 1), shifted(1, u, 1)])
    const x = [Math.floor(2 * Math.min(-1, ...all)) / 2, Math.ceil(2 * Math.max(...all)) / 2]
    const bars = Array.from({length: 256 / GROUP}, (_, g) => counts.slice(GROUP * g, GROUP * (g + 1)).reduce((a, b) => a + b))
    const filled = bars.filter(c => c), y = [Math.floor(Math.log10(Math.min(...filled))), Math.ceil(Math.log10(Math.max(...filled)))]
    const ticks = (from, to, text) => Object.fromEntries(Array.from({length: to - from + 1}, (_, i) => [from + i, text(from + i)]))
    const {mean: m, std: s} = now(), label = `How many pixels have which value: from ${fixed(shifted(0))} to ${fixed(shifted(1))}, mean ${fixed(m)}, standard deviation ${fixed(s)}`
    const {svg, X, Y, line} = axes({width: chart.clientWidth || 640, height: 184, x, y: [y[0], y[1] + 1.6], xTicks: ticks(Math.ceil(x[0]), Math.floor(x[1]), number),
      yTicks: ticks(...y, power), xLabel: 'pixel value', label})
    const edge = (g, f) => X(f((GROUP * g - .5) / 255))
    bars.forEach((c, g) => { if (c) svg.append(h('rect', {class: 'tally', x: edge(g, shifted), width: edge(g + 1, shifted) - edge(g, shifted),
      y: Y(Math.log10(c)), height: Y(y[0]) - Y(Math.log10(c))})) })
    line(bars.flatMap((c, g) => [g, g + 1].map(at => [(GROUP * at - .5) / 255, c ? Math.log10(c) : y[0]])), 'var(--grey)', 'thin')   // the raw ones
    for (const [colour, m, s, at] of [['green', 0, 1, .4], ['blue', ...Object.values(now()), 1.15]]) {   // mean ± std: aim, and as it is
      const name = colour == 'green' ? 'theory' : ''
      line([[m - s, y[1] + at], [m + s, y[1] + at]], `var(--${colour})`, name)
      line([[m, y[0]], [m, y[1] + at]], `var(--${colour})`, name)
      svg.append(write(X(m + s) + 6, Y(y[1] + at) + 4, name ? 'aim: 0 ± 1' : 'mean ± standard deviation', colour))
    }
    return svg
  }
  function draw() {
    const image_ = pixels[image], {mean: m, std: s} = now()
    picture(image, large)
    large.setAttribute('aria-label', `Image ${image + 1}`)
    thumbs.forEach((thumb, i) => { thumb.setAttribute('aria-pressed', String(i == image)); picture(i, thumb.firstChild) })
    for (const [e, by] of [[frame, REACH], [dot, 0]]) { e.setAttribute('x', column - by); e.setAttribute('y', row - by) }
    cells.forEach((cell, k) => {
      const [r, c] = [row + places[k][0], column + places[k][1]], inside = clip(r) == r && clip(c) == c, v = image_[SIDE * r + c]
      cell.textContent = inside ? fixed(shifted(v / 255)) : ''
      cell.style.cssText = inside ? `background: ${grey(v)}; color: ${v > 117 ? '#000' : '#fff'}` : ''
    })
    live.set(sentence())
    chart.replaceChildren(histogram())
    stats.replaceChildren(`${set.n.toLocaleString('en')} pixels: `, ...[['mean', m, 0], ['standard deviation', s, 1]].flatMap(([name, v, aim]) =>
      [name + ' ', h('b', {class: 'blue'}, fixed(v, 3)), h('span', {class: 'green'}, ` (aim ${aim}) `)]))
  }
  open()
  watch(chart, draw)

  return {
    draw,
    view: [
      div('stage', div('row thumbs', thumbs), div('look', field, h('div', {class: 'near', role: 'group', 'aria-label': 'Five by five pixels, as numbers'}, cells)),
        live.element, chart, stats),
      div('row', slider('From raw to normalised', {min: 0, max: 1, step: .05, value: t}, value => { t = value; draw() },
        v => v == 0 ? 'raw' : v == 1 ? 'normalised' : v < .5 ? 'subtracting' : v == .5 ? 'subtracted' : 'dividing', {0: 'raw', .5: '− mean', 1: '÷\u00a0std'}).element,
        choose('Mean and standard deviation of', Object.fromEntries(Object.keys(choices).map(key => [key, key])), whose, value => { whose = value; draw() }))],
    get state() { return {image, row, column, t, whose, numbers: numbers(), pixel: shifted(pixels[image][SIDE * row + column] / 255), ...now(), n: set.n,
      cells: cells.map(cell => cell.textContent)} }}
})
