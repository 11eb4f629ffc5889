// The cache of lesson 10: every access of a matrix product, hit or miss, in a cache that holds some lines of some numbers.
// Matrices lie in memory row after row, each from the beginning of a line. A full cache gives up the line not used for longest (LRU).

const MATRICES = [['a', 'i', 'k'], ['b', 'k', 'j'], ['c', 'i', 'j']]   // name, index of the row, index of the column
const ORDERS = ['ijk', 'ikj', 'jik', 'jki', 'kij', 'kji'], whole = v => v.toLocaleString('en')

// All multiply-adds in their order, as [i, k, j]: three loops over blocks, and in each block three loops over its numbers
function multiplyAdds(n, order, block) {
  const side = block || n, [x, y, z] = ['i', 'k', 'j'].map(name => order.indexOf(name)), all = []
  const each = (from, step, to, f) => { for (let v = from; v < to; v += step) f(v) }
  each(0, side, n, p => each(0, side, n, q => each(0, side, n, r =>
    each(p, 1, p + side, u => each(q, 1, q + side, v => each(r, 1, r + side, w => { const t = [u, v, w]; all.push([t[x], t[y], t[z]]) }))))))
  return all
}
// What the first `upto` of them do to the cache. A Map keeps its order: the first key is the line not used for longest.
function simulate(steps, upto, n, lines, length) {
  const cache = new Map(), fetched = [0, 0, 0], perMatrix = n * n / length
  const last = []
  let written = 0
  for (let t = 0; t < upto; t++) for (let at = 0; at < 3; at++) {
    const row = steps[t][at == 1 ? 1 : 0], column = steps[t][at == 0 ? 1 : 2]
    const line = at * perMatrix + Math.floor((row * n + column) / length), hit = cache.delete(line)
    let gone = null
    cache.set(line, true)
    if (!hit) {
      fetched[at]++
      if (cache.size > lines) {
        gone = cache.keys().next().value
        cache.delete(gone)
        if (gone >= 2 * perMatrix) written++   // a line of c has changed: it goes back to memory
      }
    }
    if (t == upto - 1) last.push({row, column, line, hit, gone})
  }
  const dirty = [...cache.keys()].filter(line => line >= 2 * perMatrix).length
  if (upto == steps.length) written += dirty
  return {fetched, written, moved: fetched[0] + fetched[1] + fetched[2] + written, cache: [...cache.keys()], last}
}
// How many lines of each matrix are fetched in the whole run, as [text, value]; null where no short formula holds.
function predict(n, lines, length, order, block) {
  // In lines: up to `inner` no turn of the middle loop finds what the last one used, from `kept` on it finds all of it
  const [x, y, z] = order, row = n / length, lone = +(length == 1), [inner, kept] = {j: [2 * row, 2 * row + 2], i: [2 * n, 2 * n + 2],
    k: x == 'i' ? [n + row - length + 1, n + row + 1 + lone] : [n + row + 1 - lone, n + row + 3]}[z]
  const rare = [length > 1 ? 'n²/ℓ' : 'n²', n * row], often = [length > 1 ? 'n³/ℓ' : 'n³', n * n * row]
  const of = f => MATRICES.map(([, r, c]) => f(r, c, [r, c].includes(z)))
  if (lines >= 3 * n * row) return {why: 'everything fits, so each line comes once', each: [rare, rare, rare]}
  if (block) {
    const [least, most] = [4 * block * block / length + (z == 'i' || block > length ? block : 0), 2 * n * block / length]
    return block >= length && least <= lines && lines <= most ? {why: 'the blocks at work fit, with room for the next',
      each: of((r, c, moves) => moves ? [length > 1 ? 'n³/(Bℓ)' : 'n³/B', n * n * row / block] : rare)} : null
  }
  const still = c => y == c ? rare : ['n²', n * n]   // of the matrix that the inner loop leaves alone
  if (lines <= inner) return {why: 'no turn of the middle loop finds what the last one used', each: of((r, c, moves) => !moves ? still(c) : z == c ? often : ['n³', n ** 3])}
  if (kept <= lines && lines <= n * row) return {why: 'each turn of the middle loop finds what the last one used; no matrix fits',
    each: of((r, c, moves) => !moves ? still(c) : [r, c].includes(x) ? rare : often)}
  return null
}

bring('cache_view', (root, {n, lines, length, order, block}) => {
  const count = n ** 3, blocks = [0, ...[2, 4, 8].filter(b => b < n && n % b == 0)], runs = {}, stage = div('caches'), counts = div(''), totals = div('')
  let steps, ends, at, now
  const live = speaker()
  const bar = player(root, () => count, draw, live, Math.round(.45 * count), {by: 3, wait: 100})
  const cacheSlider = slider('Cache', {min: 3, max: 64, value: lines}, v => { lines = v; rerun() }, v => `${v} lines, ${v * length} of ${3 * n * n} numbers`)

  function everyRun() {   // what each order and each size of block moves in the end
    ends = ORDERS.map(o => blocks.map(b => simulate(runs[o + b] ??= multiplyAdds(n, o, b), count, n, lines, length)))
    at = ends[ORDERS.indexOf(order)][blocks.indexOf(block)]
  }
  const later = soon(() => { everyRun(); draw() })
  function rerun() { cacheSlider.set(lines); later.ask() }
  function choice() { steps = multiplyAdds(n, order, block); if (ends) { at = ends[ORDERS.indexOf(order)][blocks.indexOf(block)]; draw() } }

  const nameOf = line => { const m = Math.floor(line / (n * n / length)), first = line * length % (n * n), [r, c] = [Math.floor(first / n), first % n]
    return `${'abc'[m]}[${r}, ${length > 1 ? `${c}:${c + length}` : c}]` }
  function sentence() {
    if (!bar.step) return `The cache is empty, and ${whole(count)} multiply-adds are to come.`
    const [i, k, j] = steps[bar.step - 1], [ra, rb, rc] = now.last.map(({hit, gone}) => hit ? 'hit' : gone == null ? 'miss' : `miss, ${nameOf(gone)} leaves`)
    return `c[${i}, ${j}] += a[${i}, ${k}] × b[${k}, ${j}]. a: ${ra}; b: ${rb}; c: ${rc}.`
  }
  function picture() {
    const width = stage.clientWidth || 330, gap = 14, side = Math.min(220, (width - 2 * gap) / 3), s = side / n, left = (width - 3 * side - 2 * gap) / 2
    const f = v => +v.toFixed(1), bars = ls => ls.map(line => {
      const place = line * length % (n * n), m = Math.floor(line / (n * n / length)), x = left + m * (side + gap) + place % n * s, y = 20 + Math.floor(place / n) * s
      return `M${f(x + .5)},${f(y + .5)}h${f(length * s - 1)}v${f(s - 1)}h${f(1 - length * s)}z`
    }).join('')
    const upto = Array.from({length: n + 1}, (_, v) => v), misses = now.last.filter(({hit}) => !hit).map(({line}) => line)
    const parts = MATRICES.map(([name, r, c], m) => {
      const X = left + m * (side + gap)
      return [write(X, 13, `${name}[${r}, ${c}]`, 'bold'), h('path', {class: 'grid', d: upto.map(v => `M${f(X)},${f(20 + v * s)}h${f(side)}`).join('') +
        upto.filter(v => v * length <= n).map(v => `M${f(X + v * length * s)},20v${f(side)}`).join('')})]
    })
    const marks = now.last.map(({row, column, hit}, m) => {
      const [x, y] = [left + m * (side + gap) + column * s, 20 + row * s].map(f)
      return hit ? h('rect', {class: 'hit', x, y, width: f(s), height: f(s)}) : h('path', {class: 'miss', d: `M${x},${y}l${f(s)},${f(s)}m0,${f(-s)}l${f(-s)},${f(s)}`})
    })
    return h('svg', {width, height: f(side + 24), viewBox: `0 0 ${width} ${f(side + 24)}`, role: 'img',
      'aria-label': `The matrices a, b and c. In the cache: ${[0, 1, 2].map(m => `${now.cache.filter(l => Math.floor(l / (n * n / length)) == m).length} lines of ${'abc'[m]}`).join(', ')}.`},
      parts, h('path', {class: 'held', d: bars(now.cache)}), h('path', {class: 'fetched', d: bars(misses)}), marks)
  }
  function draw() {
    if (!ends) everyRun()
    now = simulate(steps, bar.step, n, lines, length)
    const formula = predict(n, lines, length, order, block)
    live.set(sentence())
    stage.replaceChildren(picture())
    const text = m => formula ? ['green', `${formula.each[m][0]} = ${whole(formula.each[m][1])}`] : '–'
    const sum = formula && formula.each.reduce((all, [, v]) => all + v, formula.each[2][1])
    counts.replaceChildren(table(['lines', 'so far', 'at the end', 'formula'], [
      ...[0, 1, 2].map(m => [`of ${'abc'[m]} fetched`, whole(now.fetched[m]), whole(at.fetched[m]), text(m)]), ['of c written back', whole(now.written), whole(at.written), text(2)],
      [h('b', {}, 'moved'), ['blue', h('b', {}, whole(now.moved))], ['blue', h('b', {}, whole(at.moved))], formula ? ['green', h('b', {}, whole(sum))] : '–']]),
      h('p', {class: 'hint why'}, formula ? `Formula: ${formula.why}.` : 'No short formula: the cache keeps some of what is used again.'))
    totals.replaceChildren(table(['lines moved', ...blocks.map(b => b ? `B=${b}` : 'no blocks')], ORDERS.map((o, r) => [o, ...blocks.map((b, c) =>
      [o == order && b == block ? 'chosen' : '', whole(ends[r][c].moved)])])))
  }
  watch(stage, () => now && draw())
  choice()

  return {
    draw, go: bar.go,
    view: [
      div('row thirds', choose('Loop order', Object.fromEntries(ORDERS.map(o => [o, o])), order, value => { order = value; choice() }),
        choose('Blocks', Object.fromEntries(blocks.map(b => [b, b ? `B = ${b}` : 'none'])), block, value => { block = +value; choice() }),
        choose('A line holds', Object.fromEntries([1, 2, 4, 8].filter(l => n % l == 0).map(l => [l, `ℓ = ${l}`])), length, value => { length = +value; rerun() })),
      cacheSlider.element, bar.element, live.element,
      div('stage', stage, div('sides', scrolling('What this run moves', counts), scrolling('All runs', totals))),
      hint('Faint: in the cache. Solid: a hit. Cross: a miss.')],
    get state() { later.now(); return {n, lines, length, order, block, step: bar.step, count, steps, formula: predict(n, lines, length, order, block), end: at,
      totals: ends.map(row => row.map(({moved}) => moved)), ...now} }}
})
