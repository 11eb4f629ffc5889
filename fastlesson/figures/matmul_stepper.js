// The matmul stepper. c[i, j] is the sum over p of a[i, p] * b[p, j]: n·m·k products, a box of them. What the versions
// differ in is how much of the box one step takes: I, J and P are the rows, columns and inner indices of a step.

const upto = n => Array.from({length: n}, (_, i) => i)
const VERSIONS = {
  loops: {
    title: 'loops: a number at a time',
    code: ['for i in range(n):', '    for j in range(m):', '        for p in range(k):', '            c[i, j] += a[i, p] * b[p, j]'],
    count: (n, k, m) => n * m * k,
    box: (t, n, k, m) => ({I: [Math.floor(t / (m * k))], J: [Math.floor(t / k) % m], P: [t % k]})},
  dot: {
    title: 'dot: an entry at a time',
    code: ['for i in range(n):', '    for j in range(m):', '        c[i, j] = (a[i] * b[:, j]).sum()'],
    count: (n, k, m) => n * m,
    box: (t, n, k, m) => ({I: [Math.floor(t / m)], J: [t % m], P: upto(k)})},
  broadcast: {
    title: 'broadcast: a row at a time',
    code: ['for i in range(n):', '    c[i] = (a[i, :, None] * b).sum(0)'],
    count: n => n,
    box: (t, n, k, m) => ({I: [t], J: upto(m), P: upto(k)})},
  einsum: {
    title: 'einsum: all in one call',
    code: ["c = torch.einsum('ik,kj->ij', a, b)"],
    count: (n, k) => k,
    box: (t, n, k, m) => ({I: upto(n), J: upto(m), P: [t]})}}

bring('matmul_stepper', (root, {a, b, bytes}) => {
  const [n, k, m] = [a.length, b.length, b[0].length]
  let version = 'loops'
  const count = () => VERSIONS[version].count(n, k, m)
  const box = t => VERSIONS[version].box(t, n, k, m)

  // c after t steps: always computed from the start, so that going back and editing need nothing of their own
  function result(t) {
    const c = a.map(() => Array(m).fill(0)), written = a.map(() => Array(m).fill(false))
    let multiplyAdds = 0
    for (let s = 0; s < t; s++) {
      const {I, J, P} = box(s)
      for (const i of I) for (const j of J) {
        written[i][j] = true
        for (const p of P) { c[i][j] += a[i][p] * b[p][j]; multiplyAdds++ }
      }
    }
    return {c, written, multiplyAdds}
  }

  // A matrix is a grid of cells that stay; drawing only changes their class and text
  const cells = {}
  function matrix(name, rows, columns, cell) {
    cells[name] = upto(rows).map(i => upto(columns).map(j => cell(i, j)))
    return h('div', {class: `matrix at-${name}`, role: 'group', 'aria-label': `${name}, ${rows} by ${columns}`, style: `--columns: ${columns}`},
      div('mono name', `${name} (${rows}, ${columns})`), cells[name])
  }
  const input = (name, values) => (i, j) => field(`${name}[${i}, ${j}]`, values[i][j], value => { values[i][j] = value; draw() })
  const code = h('pre'), stats = div('row stats'), detail = div(''), live = speaker()
  const steps = player(root, count, draw, live)

  function sentence(t, c) {
    if (!t) return `Nothing is computed yet: ${count()} ${count() > 1 ? 'steps' : 'step'} to go.`
    const {I, J, P} = box(t - 1), [i, j] = [I[0], J[0]]
    const range = (index, size) => index.length == size && size > 1 ? ':' : index[0]
    const terms = P.map(p => `${number(a[i][p])} × ${number(b[p][j])}`).join(' + ')
    return `Reads a[${range(I, n)}, ${range(P, k)}] and b[${range(P, k)}, ${range(J, m)}]` + {
      loops: `. c[${i}, ${j}] was ${number(result(t - 1).c[i][j])}, plus ${terms} is ${number(c[i][j])}.`,
      dot: `. c[${i}, ${j}] = ${terms} = ${number(c[i][j])}.`,
      broadcast: `. Row ${i} of c is finished at once: ${c[i].map(v => number(v)).join(', ')}.`,
      einsum: `: every entry of c gets one term, ${P[0] + 1} of ${k}. The letter k is missing on the right, so it is summed over. ` +
        'In which order is up to the library; this is one way.'}[version]
  }

  // What broadcasting does to memory: the row as a column, repeated with stride 0, times b
  function memory(i) {
    const grid = (label, rows, ghost) => h('figure', {class: 'ghosts'}, h('figcaption', {class: 'mono'}, label),
      h('div', {class: 'matrix small', style: `--columns: ${m}`},
        rows.map(row => row.map((v, j) => h('span', {class: `cell ${ghost && j ? 'ghost' : 'read'}`}, number(v))))))
    const rows = [
      [`a[${i}, :, None]`, `(${k}, 1)`, '(1, 1)', k * bytes, k * bytes],
      [`… as (${k}, ${m})`, `(${k}, ${m})`, '(1, 0)', k * bytes, k * m * bytes],
      ['b', `(${k}, ${m})`, `(${m}, 1)`, k * m * bytes, k * m * bytes],
      ['product', `(${k}, ${m})`, `(${m}, 1)`, k * m * bytes, k * m * bytes]]
    return [
      div('row', grid(`a[${i}, :, None] as (${k}, ${m})`, a[i].map(v => Array(m).fill(v)), true), h('b', {}, '⊙ b ='),
        grid('product', b.map((row, p) => row.map(v => a[i][p] * v))), h('b', {}, '→ sum(0) →'), grid(`c[${i}]`, [result(i + 1).c[i]])),
      scrolling('Strides and bytes', table(['tensor', 'shape', 'strides', 'bytes', 'as a copy'], rows)),
      hint('Dashed cells are not in memory: with a stride of 0 the next column is the same number, read again. ' +
        'So the expanded view touches no more bytes than the row has; a copy of it would. The product is new and has its full size.')]
  }

  function draw() {
    const t = steps.step, {c, written, multiplyAdds} = result(t), {I, J, P} = t ? box(t - 1) : {I: [], J: [], P: []}
    const each = (name, f) => cells[name].forEach((row, i) => row.forEach((cell, j) => f(cell, i, j)))
    each('a', (cell, i, p) => cell.classList.toggle('read', I.includes(i) && P.includes(p)))
    each('b', (cell, p, j) => cell.classList.toggle('read', P.includes(p) && J.includes(j)))
    each('c', (cell, i, j) => {
      cell.textContent = written[i][j] ? number(c[i][j]) : '·'
      cell.classList.toggle('write', I.includes(i) && J.includes(j))
    })
    code.textContent = VERSIONS[version].code.join('\n')
    live.set(sentence(t, c))
    stats.replaceChildren(...Object.entries({
      'multiply-adds so far': `${multiplyAdds} of ${n * k * m}`, 'in this step': I.length * J.length * P.length,
      'numbers read': I.length * P.length + P.length * J.length, 'results written': I.length * J.length,
      'steps that Python takes in all': version == 'einsum' ? 1 : count()}).map(([name, value]) => h('span', {}, name + ' ', h('b', {}, value))))
    detail.replaceChildren(...(version == 'broadcast' && t ? memory(t - 1) : []))
  }

  return {
    draw, go: steps.go,
    view: [
      div('row', choose('Version', titles(VERSIONS), version, value => { version = value; steps.go(0) })),
      div('stage', code, scrolling('The matrices', div('product', matrix('b', k, m, input('b', b)), matrix('a', n, k, input('a', a)),
        matrix('c', n, m, () => h('span', {class: 'cell'}))))),
      steps.element, live.element, stats, detail, hint('The numbers of a and b can be changed. Tinted: read in this step. Solid: written.')],
    get state() { return {version, step: steps.step, count: count(), a, b, box: steps.step ? box(steps.step - 1) : null, ...result(steps.step)} }}
})
