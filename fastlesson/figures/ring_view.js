// Ranks that add their tensors around a ring, as `ring_all_reduce` of lesson 12 does it, and two layers whose weights are split
// over the ranks: who holds what, who sends what, how many bytes pass each link, and the time by the α–β model.

const MODES = {ring: {title: 'ring all-reduce'}, split: {title: 'weights split: column, then row'}}
const upTo = n => Array.from({length: n}, (_, i) => i), sub = rank => '₀₁₂₃₄₅₆₇'[rank]
const scaled = (v, units) => { const [size, unit] = units.find(([size]) => v >= size) ?? units.at(-1); return `${number(v / size, 3)} ${unit}` }
const inBytes = v => scaled(v, [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']]), inTime = v => scaled(v, [[1, 's'], [1e-3, 'ms'], [1e-6, 'µs']])

// Whose numbers are in each part, as held[rank][part], after so many steps; and what the last of them sent.
function ring(p, steps) {
  let held = upTo(p).map(rank => upTo(p).map(() => [rank])), sent = []
  for (let step = 0; step < steps; step++) {
    const before = held   // all send at once
    held = before.map(parts => [...parts])
    sent = upTo(p).map(rank => ({from: rank, to: (rank + 1) % p, part: (rank - step + 2 * p) % p, adds: step < p - 1}))
    for (const {from, to, part, adds} of sent) held[to][part] = adds ? [...before[to][part], ...before[from][part]].sort() : before[from][part]
  }
  return {held, sent}
}
// Y = ReLU(X W) V, W split by columns and V by rows. Each step: what it gives each rank, and whether an all-reduce is needed.
const STEPS = [
  {gives: 'H', as: 'part', text: 'Each rank multiplies X by its columns of W and gets its columns of H = ReLU(XW).'},
  {gives: 'Y', as: 'term', text: 'Each rank multiplies its columns of H by its rows of V. That is a whole Y, but only one term of a sum.'},
  {gives: 'Y', as: 'sum', talks: true, text: 'An all-reduce adds the terms: now every rank has Y.'},
  {gives: '∂H', as: 'part', text: 'Backward, each rank gets the gradient of its columns of H, and those of its parts of V and W.'},
  {gives: '∂X', as: 'term', text: 'Each rank multiplies by its columns of W, transposed: a term of the gradient of X.'},
  {gives: '∂X', as: 'sum', talks: true, text: 'A second all-reduce adds these terms: now every rank has the gradient of X.'}]
const COLUMNS = ['X', 'W', 'H', 'V', 'Y', '∂H', '∂X']
function split(steps) {
  const has = {X: 'whole', W: 'part', V: 'part'}
  for (const {gives, as} of STEPS.slice(0, steps)) has[gives] = as
  return has
}

bring('ring_view', (root, {ranks, n_bytes, alpha, beta}) => {
  let mode = 'ring', p = ranks, bytes = n_bytes, now = null
  const stage = div(''), counts = div(''), live = speaker()
  const count = () => mode == 'ring' ? 2 * (p - 1) : STEPS.length
  const bar = player(root, count, () => draw(), live, p - 1, {wait: 900})
  const again = () => bar.go(mode == 'ring' ? p - 1 : 3)

  function compute() {
    const t = bar.step, message = bytes / p, talks = STEPS.slice(0, t).filter(s => s.talks).length
    const messages = mode == 'ring' ? t : talks * 2 * (p - 1), all = 2 * (p - 1) * (mode == 'ring' ? 1 : 2)
    const cost = n => ({messages: n, bytes: n * message, time: n * (alpha + message * beta)})
    const through = {messages: all, bytes: all * bytes, time: all * (alpha + bytes * beta)}   // rank 0 takes all tensors, one by one, and gives the sum back
    return {mode, ranks: p, n_bytes: bytes, step: t, count: count(), message, sofar: cost(messages), end: cost(all), root: through,
      ...mode == 'ring' ? ring(p, t) : {held: split(t), sent: []}}
  }
  function sentence() {
    const {step, sent, message} = now
    if (mode == 'split') return step ? STEPS[step - 1].text + (STEPS[step - 1].talks ? '' : ' Nobody talks.') : 'Every rank has X, some columns of W and the same rows of V.'
    if (!step) return `Each rank has numbers of its own, in ${p} parts. They are to be added.`
    const {part, adds} = sent[0], first = `Rank 0 sends part ${part} to rank 1, which ${adds ? 'adds it' : 'keeps it'}. The others do the same. ${inBytes(message)} a link.`
    return first + (step == p - 1 ? ' Each rank now has one full sum: a reduce-scatter.' : step == count() ? ' All ranks have all sums.' : '')
  }
  const cell = (x, y, w, h_, fill, strength, text, stroke = 'var(--line)') => [h('rect', {x: x + 1, y: y + 1, width: w - 2, height: h_ - 2, fill, 'fill-opacity': strength, stroke}),
    text && write(x + w / 2, y + h_ / 2 + 4, text, '', 'middle')]
  function picture() {
    const width = stage.clientWidth || 330, top = 22, left = 44, height = Math.min(40, 192 / p), columns = mode == 'ring' ? p : COLUMNS.length, w = (width - left - 8) / columns
    const X = c => left + c * w, Y = r => top + r * height
    const parts = mode == 'ring' ? [
      upTo(p).map(rank => write(X(rank) + w / 2, 14, w < 50 ? rank : `rank ${rank}`, 'bold', 'middle')), upTo(p).map(part => write(0, Y(part) + height / 2 + 4, `part ${part}`)),
      upTo(p).flatMap(rank => upTo(p).map(part => {
        const whose = now.held[rank][part], arrived = now.sent.some(s => s.to == rank && s.part == part)
        return [cell(X(rank), Y(part), w, height, 'none', 0, null, arrived ? 'var(--blue)' : 'var(--line)'),
          whose.map(r => h('rect', {x: X(rank) + 3 + r * (w - 6) / p, y: Y(part) + 3, width: (w - 6) / p - .5, height: height - 6, fill: 'var(--blue)', opacity: arrived ? .9 : .35}))]
      })),
      now.sent.map(({from, to, part}) => {   // from the middle of one cell to the next; around the ring it leaves at the right
        const y = Y(part) + height / 2, from_ = X(from) + w / 2, arrow = (a, b) => `M${a.toFixed(1)},${y.toFixed(1)}H${b.toFixed(1)}l-5,-4m5,4l-5,4`
        return h('path', {fill: 'none', stroke: 'currentColor', 'stroke-width': 2, d: to ? arrow(from_, X(to) + 3) : arrow(from_, width - 2) + arrow(left - 6, left + 5)})
      })] : [
      COLUMNS.map((name, c) => write(X(c) + w / 2, 14, name, 'bold', 'middle')), upTo(p).map(rank => write(0, Y(rank) + height / 2 + 4, `rank ${rank}`)),
      upTo(p).flatMap(rank => COLUMNS.map((name, c) => {
        const as = now.held[name], last = now.step && STEPS[now.step - 1].gives == name
        return cell(X(c), Y(rank), w, height, name[0] == '∂' ? 'var(--orange)' : 'var(--blue)', !as ? 0 : as == 'term' ? .15 : last ? .6 : .35,
          !as ? null : as == 'part' ? name + sub(rank) : as == 'term' ? 'term' : as == 'sum' ? 'sum' : name)
      }))]
    const text = mode == 'ring' ? `${p} ranks and ${p} parts. Sums complete: ${now.held.flat().filter(whose => whose.length == p).length} of ${p * p}.`
      : `Every rank has ${COLUMNS.filter(name => now.held[name]).map(name => `${name}: ${now.held[name]}`).join(', ')}.`
    return h('svg', {width, height: 216, viewBox: `0 0 ${width} 216`, role: 'img', 'aria-label': text}, parts.flat(9))
  }
  function draw() {
    now = compute()
    live.set(sentence())
    stage.replaceChildren(picture())
    const {sofar, end, root: through} = now, row = (name, f) => [name, f(sofar), ['blue', f(end)], f(through)]
    counts.replaceChildren(table(['', 'so far', 'at the end', 'via rank 0'], [row('messages', v => String(v.messages)), row('busiest link', v => inBytes(v.bytes)), row('time', v => inTime(v.time))]))
  }
  const ranksSlider = slider('Ranks', {min: 2, max: 8, value: p}, v => { p = v; again() })
  const size = slider('Tensor', {min: 3, max: 9, step: .5, value: Math.log10(bytes)}, v => { bytes = 10 ** v; draw() }, v => inBytes(10 ** v))
  live.element.style.minHeight = 'clamp(2.9em, calc(160px - 22cqw), 5.8em)'   // two lines, or four on a phone
  watch(stage, () => now && draw())

  return {
    draw, go: bar.go,
    view: [div('row', choose('Show', titles(MODES), mode, value => { mode = value; again() }), ranksSlider.element, size.element), bar.element, live.element,
      div('stage', stage), scrolling('What it costs', counts), hint(`Assumed: ${inTime(alpha)} a message, ${inBytes(1 / beta)}/s. In the ring, a box has a stripe for each rank whose numbers are in it; arrows show what this step sends.`)],
    get state() { return now }}
})
