// The matmul stepper. c[i, j] is the sum over p of a[i, p] * b[p, j]: n·m·k products, a box of them. What the versions
// differ in is how much of the box one step takes: I, J and P are the rows, columns and inner indices of a step.

const upto = n => Array.from({length: n}, (_, i) => i)
const VERSIONS = {   // a line of code may start a loop, over the index behind it; the last line does the work
  loops: {
    title: 'loops, lists: a number at a time',
    code: [['for i in range(n):', 'i'], ['    for j in range(m):', 'j'], ['        for p in range(k):', 'p'], ['            c[i, j] += a[i, p] * b[p, j]']],
    count: (n, k, m) => n * m * k,
    box: (t, n, k, m) => ({I: [Math.floor(t / (m * k))], J: [Math.floor(t / k) % m], P: [t % k]})},
  dot: {
    title: 'dot: an entry at a time',
    code: [['for i in range(n):', 'i'], ['    for j in range(m):', 'j'], ['        c[i, j] = (a[i] * b[:, j]).sum()']],
    count: (n, k, m) => n * m,
    box: (t, n, k, m) => ({I: [Math.floor(t / m)], J: [t % m], P: upto(k)})},
  broadcast: {
    title: 'broadcast: a row at a time',
    code: [['for i in range(n):', 'i'], ['    c[i] = (a[i, :, None] * b).sum(0)']],
    count: n => n,
    box: (t, n, k, m) => ({I: [t], J: upto(m), P: upto(k)})},
  einsum: {
    title: 'einsum: one call, term by term',
    code: [["c = torch.einsum('ik,kj->ij', a, b)"]],
    count: (n, k) => k,
    box: (t, n, k, m) => ({I: upto(n), J: upto(m), P: [t]})},
  torch: {
    title: '@: one call, all at once',
    code: [['c = a @ b']],
    count: () => 1,
    box: (t, n, k, m) => ({I: upto(n), J: upto(m), P: upto(k)})}}

bring('matmul_stepper', (root, {a, b, bytes}) => {
  const [n, k, m] = [a.length, b.length, b[0].length], first = structuredClone({a, b})
  let version = 'loops'
  const count = () => VERSIONS[version].count(n, k, m)
  const middle = () => Math.max(1, Math.floor(count() * .45))   // where a version opens: something is done, and something is left
  const box = t => t ? VERSIONS[version].box(t - 1, n, k, m) : {I: [], J: [], P: []}   // of step t, from 1
  const short = v => +v.toPrecision(4)   // in a field; what is typed is kept in full
  const exact = v => number(v, Number.isInteger(v) ? 9 : 4)

  // c after t steps: always computed from the start, so that going back and editing need nothing of their own
  function result(t) {
    const c = a.map(() => Array(m).fill(0)), done = upto(n).map(() => upto(m).map(() => new Set()))
    for (let s = 1; s <= t; s++) {
      const {I, J, P} = box(s)
      for (const i of I) for (const j of J) for (const p of P) { c[i][j] += a[i][p] * b[p][j]; done[i][j].add(p) }
    }
    return {c, done, multiplyAdds: done.flat().reduce((sum, {size}) => sum + size, 0)}
  }

  // A matrix is a grid of cells that stay; drawing only changes their class and text
  const cells = {}, grids = {}
  function matrix(name, rows, columns, cell) {
    cells[name] = upto(rows).map(i => upto(columns).map(j => cell(i, j)))
    return grids[name] = h('div', {class: `matrix at-${name}`, role: 'group', 'aria-label': `${name}, ${rows} by ${columns}`, style: `--columns: ${columns}`},
      div('mono name', `${name} (${rows}, ${columns})`), cells[name])
  }
  const input = (name, values) => (i, j) => field(`${name}[${i}, ${j}]`, () => short(values[i][j]), value => { values[i][j] = value; draw() })
  const code = h('pre'), stats = div('stats'), memory = div(''), cube = div('at-box'), live = speaker()
  const steps = player(root, count, draw, live, middle())

  function sentence(t, c) {
    if (!t) return `Nothing is computed yet: ${count()} ${count() > 1 ? 'steps' : 'step'} to go.`
    const {I, J, P} = box(t), [i, j] = [I[0], J[0]]
    const range = (index, size) => index.length == size && size > 1 ? ':' : index[0]
    const terms = P.map(p => `${exact(a[i][p])} × ${exact(b[p][j])}`).join(' + ')
    return `Reads a[${range(I, n)}, ${range(P, k)}] and b[${range(P, k)}, ${range(J, m)}]` + {
      loops: `. c[${i}, ${j}] was ${exact(result(t - 1).c[i][j])}, plus ${terms} is ${exact(c[i][j])}.`,
      dot: `. c[${i}, ${j}] = ${terms} = ${exact(c[i][j])}.`,
      broadcast: `. Row ${i} of c is finished at once: ${c[i].map(exact).join(', ')}.`,
      einsum: `: one term, ${P[0] + 1} of ${k}, for every entry of c. The letter k is not in the result, so it is summed over, in an order that the library chooses.`,
      torch: ': one call does every product. What it does inside is the library’s business.'}[version]
  }

  // The box of all products: i downwards, j to the right, p to the back. Small cubes, so that none hides another.
  function products({I, J, P}, done) {
    const size = Math.min(38, 165 / (m + .5 * k), 120 / (n + .45 * k)), side = .42 * size, [dx, dy] = [.52 * size, -.46 * size], skew = .16 * size
    const [left, top] = [16, 12 - (k - 1) * dy], [width, height] = [left + m * size + (k - 1) * dx + 14, top + n * size + 14]
    const parts = []
    for (const p of upto(k).reverse()) for (const i of upto(n)) for (const j of upto(m)) {
      const [x, y] = [left + j * size + p * dx, top + i * size + p * dy].map(v => +v.toFixed(1)), s = +side.toFixed(1), f = +skew.toFixed(1)
      const name = I.includes(i) && J.includes(j) && P.includes(p) ? 'now' : done[i][j].has(p) ? 'done' : 'todo'
      parts.push(h('path', {class: name + ' flank', d: `M${x},${y}l${f},${-f}h${s}v${s}l${-f},${f}v${-s}z`}), h('path', {class: name, d: `M${x},${y}h${s}v${s}h${-s}z`}))
    }
    const bottom = top + n * size
    return h('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `The ${n * m * k} products as a box of ${n} by ${m} by ${k}: ` +
      `${I.length * J.length * P.length} of them in this step`}, parts, write(4, top + (n - .5) * size / 2 + 4, 'i', 'axis'),
      write(left + (m - .5) * size / 2, bottom + 8, 'j', 'axis', 'middle'), write(left + (m - .3) * size + (k - 1) * dx / 2 + 8, bottom - .5 * size + (k - 1) * dy / 2, 'p', 'axis'))
  }

  // What broadcasting does to memory: the row as a column, repeated with stride 0, times b
  function remembered(i) {
    const grid = (label, rows, ghost) => h('figure', {class: 'ghosts'}, h('figcaption', {class: 'mono'}, label),
      h('div', {class: 'matrix small', style: `--columns: ${m}`},
        rows.map(row => row.map((v, j) => h('span', {class: `cell ${ghost && j ? 'ghost' : 'read'}`}, exact(v))))))
    const rows = [
      [`a[${i}, :, None]`, `(${k}, 1)`, '(1, 1)', k * bytes, k * bytes],
      [`… as (${k}, ${m})`, `(${k}, ${m})`, '(1, 0)', k * bytes, k * m * bytes],
      ['b', `(${k}, ${m})`, `(${m}, 1)`, k * m * bytes, k * m * bytes],
      ['product', `(${k}, ${m})`, `(${m}, 1)`, k * m * bytes, k * m * bytes]]
    const row = [upto(m).map(j => a[i].reduce((sum, v, p) => sum + v * b[p][j], 0))]
    return [
      div('row', grid(`a[${i}, :, None] as (${k}, ${m})`, a[i].map(v => Array(m).fill(v)), true), h('b', {}, '⊙ b ='),
        grid('product', b.map((row, p) => row.map(v => a[i][p] * v))), h('b', {}, '→ sum(0) →'), grid(`c[${i}]`, row)),
      scrolling('Strides and bytes', table(['tensor', 'shape', 'strides', 'bytes', 'as a copy'], rows)),
      hint('Dashed cells are not in memory: with a stride of 0 the next column is the same number, read again. ' +
        'So the expanded view touches no more bytes than the row has; a copy of it would. The product is new and has its full size.')]
  }

  function draw() {
    const t = steps.step, {c, done, multiplyAdds} = result(t), now = box(t), {I, J, P} = now
    const each = (name, f) => cells[name].forEach((row, i) => row.forEach((cell, j) => f(cell, i, j)))
    const mark = (cell, read, along) => { cell.classList.toggle('read', read); cell.classList.toggle('along', along) }
    each('a', (cell, i, p) => mark(cell, I.includes(i) && P.includes(p), I.includes(i)))
    each('b', (cell, p, j) => mark(cell, P.includes(p) && J.includes(j), J.includes(j)))
    each('c', (cell, i, j) => {
      cell.textContent = done[i][j].size ? exact(c[i][j]) : '·'
      cell.classList.toggle('write', I.includes(i) && J.includes(j))
    })
    for (const name of ['a', 'b']) grids[name].style.setProperty('--wide', Math.max(...cells[name].flat().map(cell => cell.value.length)))
    const lines = VERSIONS[version].code, value = {i: I, j: J, p: P}
    code.replaceChildren(...upto(4).map(at => lines[at] ? h('span', {class: t && at == lines.length - 1 ? 'line lit' : 'line'}, lines[at][0],
      lines[at][1] && t ? h('b', {class: 'chip'}, `${lines[at][1]} = ${value[lines[at][1]][0]}`) : null) : h('span', {class: 'line'}, ' ')))
    cube.replaceChildren(products(now, done))
    live.set(sentence(t, c))
    stats.replaceChildren(...Object.entries({
      'products': `${multiplyAdds} of ${n * k * m}`, 'in this step': I.length * J.length * P.length,
      'numbers read': I.length * P.length + P.length * J.length, 'numbers written': I.length * J.length}).map(([name, value]) => h('span', {}, name + ' ', h('b', {}, value))))
    memory.replaceChildren(...remembered(I[0] ?? 0))
  }
  function firstValues() {
    for (const [name, values] of [['a', a], ['b', b]]) first[name].forEach((row, i) => row.forEach((v, j) => { cells[name][i][j].value = short(values[i][j] = v) }))
    draw()
  }

  return {
    draw, go: steps.go,
    view: [
      choose('Version', titles(VERSIONS), version, value => { version = value; steps.go(middle()) }),
      steps.element, live.element,
      div('stage sides', code, scrolling('The matrices', div('product', cube, matrix('b', k, m, input('b', b)), matrix('a', n, k, input('a', a)),
        matrix('c', n, m, () => h('span', {class: 'cell'}))))),
      stats, div('row', hint('Tinted: read in this step. Solid: written. Cubes: products. Change any number of a and b.'), button('First values', firstValues)),
      h('details', {}, h('summary', {}, 'How a row at a time looks in memory'), memory)],
    get state() { return {version, step: steps.step, count: count(), a, b, box: steps.step ? box(steps.step) : null, ...result(steps.step)} }}
})
