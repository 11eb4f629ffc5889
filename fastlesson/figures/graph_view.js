// The graph view: an expression is read, drawn as a graph, and gone through forwards and backwards, a value at a time.

const OPERATIONS = {   // the value, and the local gradient for each input
  '+': [(a, b) => a + b, () => [1, 1]], '-': [(a, b) => a - b, () => [1, -1]], neg: [a => -a, () => [-1]],
  '*': [(a, b) => a * b, (a, b) => [b, a]], '/': [(a, b) => a / b, (a, b) => [1 / b, -a / b ** 2]],
  '**': [(a, n) => a ** n, (a, n) => [n ? n * a ** (n - 1) : 0]], exp: [Math.exp, a => [Math.exp(a)]],
  log: [Math.log, a => [1 / a]], relu: [a => Math.max(0, a), a => [a <= 0 ? 0 : 1]]}
const EXAMPLES = {
  residual: ['residual layers', 'y = x + relu(w * x); y + relu(w * y)', {x: 1, w: .5}], twice: ['used twice', '(a + b) * a', {a: 2, b: 3}],
  diamond: ['a diamond', 'q = x * x; q * q', {x: 3}], chain: ['a chain', 'log(1 + exp(-x))', {x: 1}], own: ['your own', null, {}]}
const FUNCTIONS = ['exp', 'log', 'relu'], isNode = x => x?.inputs, sum = parts => parts.reduce((a, b) => a + b, 0)
const sign = op => ({'*': '×', '/': '÷', '-': '−', neg: '−'})[op] ?? op

//   program: (NAME '=' sum ';')* sum        sum: product (('+' | '-') product)*      product: factor (('*' | '/') factor)*
//   factor: '-' factor | power              power: atom ['**' factor]                atom: NUMBER | NAME | FUNCTION '(' sum ')' | '(' sum ')'
// A function a rule, as Python reads it. Returns the values as they are made, variables first; a number belongs to its operation.
function read(text) {
  const names = new Map(), made = []
  const words = text.matchAll(/((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)|([a-z_]\w*)|\*\*|\S/gi)
  const tokens = [...words].map(({0: word, 1: digits, 2: letters, index}) => ({word, digits, letters, at: index})).concat({word: ''})
  const fail = (why, {at, word} = tokens[0]) => { throw Error((word ? `Character ${at + 1}, “${word}”: ` : 'At the end: ') + why) }
  const is = (...words) => words.includes(tokens[0].word), take = () => tokens.shift()
  const make = (op, args, inputs = args.filter(isNode)) => inputs.length ? made[made.push({op, args, inputs}) - 1] : OPERATIONS[op][0](...args)
  const binary = (next, ...ops) => () => {
    let left = next()
    while (is(...ops)) left = make(take().word, [left, next()])
    return left
  }
  const factor = () => is('-') ? make('neg', [(take(), factor())]) : power()
  const product = binary(factor, '*', '/'), total = binary(product, '+', '-')
  function power() {
    const base = atom(), where = tokens[0], exponent = is('**') ? (take(), factor()) : 1
    if (isNode(exponent)) fail('the exponent must be a number. Use exp and log.', where)
    return where.word == '**' ? make('**', [base, exponent]) : base
  }
  function atom() {
    const token = tokens[0], {word, digits, letters} = token, known = FUNCTIONS.includes(word)
    if (!digits && !letters && word != '(') fail('here we need a name, a number or a (.')
    take()
    if (digits) return Number.isFinite(+word) ? +word : fail('this number is too large.', token)
    if (known ? !is('(') : letters && is('(')) fail(known ? `${word} needs a (.` : 'we have the functions exp, log and relu.')
    if (known || word == '(') {
      const value = (known && take(), total())
      if (!is(')')) fail(`a ) is missing for “${word}” at character ${token.at + 1}.`)
      return (take(), known) ? make(word, [value]) : value
    }
    if (word.length > 6) fail('a name has at most 6 characters.', token)
    if (!names.has(word)) names.set(word, {name: word, args: [], inputs: []})
    return names.get(word)
  }
  while (tokens[0].letters && tokens[1].word == '=') {
    const name = take(), value = (take(), total())
    if (names.has(name.word) || FUNCTIONS.includes(name.word) || name.word.length > 6) fail('this name is taken, or longer than 6 characters.', name)
    if (!value.op || value.name) fail('only a new value gets a name: it needs an operation on a variable.', name)
    if (take().word != ';') fail('after a named value comes a ; and what follows.', name)
    names.set(value.name = name.word, value)
  }
  const result = total(), variables = [...names.values()].filter(v => !v.op), values = [...variables, ...made]
  if (!is('')) fail('an operator is missing before this. A = stands only behind a new name, at the beginning or after a ;.')
  if (!result.op || result != made.at(-1)) fail('the last part must be an operation on a variable.')
  result.level = 0   // how far a value is from the result, by the longest way
  for (const v of values.toReversed()) {
    if (v.level == null) fail(`${v.name || sign(v.op)} leads nowhere: the result must depend on it.`)
    for (const input of v.inputs) input.level = Math.max(input.level ?? 0, v.level + 1)
  }
  for (const [what, n, room] of [['values', values.length, 14], ['values in a row', 1 + Math.max(...values.map(v => v.level)), 7], ['variables', variables.length, 4]])
    if (n > room) fail(`that makes ${n} ${what}, and there is room for ${room}.`)
  return values
}
// What a run computes: every value, and the visits of the backward pass with what each of them passes on.
function compute(values, numbers, order) {
  const result = values.at(-1), value = new Map(), parts = new Map(values.map(v => [v, []])), waiting = [result], found = new Set(waiting), visits = []
  const given = v => v.args.map(a => isNode(a) ? value.get(a) : a)
  for (const v of values) value.set(v, v.op ? OPERATIONS[v.op][0](...given(v)) : numbers[v.name])
  parts.get(result).push(1)
  while (waiting.length) {
    if (order == 'youngest') waiting.sort((a, b) => values.indexOf(b) - values.indexOf(a))
    const from = waiting.shift()
    if (!from.op) continue   // a variable keeps what it gets
    const upstream = sum(parts.get(from)), slopes = OPERATIONS[from.op][1](...given(from)), had = parts.get(from).length
    const passed = from.args.map((to, i) => ({to, local: slopes[i], part: upstream * slopes[i]})).filter(({to}) => isNode(to))
    visits.push({from, upstream, had, passed})
    for (const {to, part} of passed) {
      parts.get(to).push(part)
      if (!found.has(to)) waiting.push(to)
      found.add(to)
    }
  }
  return {value, parts, visits}
}
// Where all stands: levels along the picture, and in each the values and the lines that go past, in the order of what they lead to.
function layout(values, {size, box, line: thin}) {
  const slots = [], slotOf = new Map(), lines = []
  const put = (level, value) => { const slot = {level, value, near: []}; (slots[level] ??= []).push(slot); return slot }
  for (const v of values.toReversed()) slotOf.set(v, put(v.level, v))
  for (const v of values.toReversed()) v.inputs.forEach((to, i) => {
    const line = [slotOf.get(v)]
    for (let level = v.level + 1; level < to.level; level++) line.push(put(level))
    line.push(slotOf.get(to))
    line.slice(1).forEach((slot, k) => { slot.near.push(line[k]); line[k].near.push(slot) })
    lines.push({from: v, to, line, shift: i - (v.inputs.length - 1) / 2})
  })
  const place = list => {
    const rooms = list.map(s => s.value ? box : thin), tight = Math.min(1, size / sum(rooms))
    list.forEach((s, i) => Object.assign(s, {tight, at: size / 2 + tight * (sum(rooms.slice(0, i)) + rooms[i] / 2 - sum(rooms) / 2)}))
  }
  slots.forEach(place)
  for (const by of [-1, 1, -1, 1, -1]) for (const list of by < 0 ? slots : slots.toReversed()) {
    for (const s of list) { const near = s.near.filter(o => o.level == s.level + by); s.aim = near.length ? sum(near.map(o => o.at)) / near.length : s.at }
    list.sort((a, b) => a.aim - b.aim)
    place(list)
  }
  return {slots, lines}
}

bring('graph_view', (root, {expression, values: given}) => {
  const numbers = {x: 1, w: .5, a: 2, b: 3, ...given}, live = speaker(), graph = div('stage expression'), fields = div('variables')
  let values = read(expression), order = 'youngest', run
  const label = v => (v.op && v.name ? v.name + ' = ' : '') + (!v.op ? v.name : v.args.length < 2 ? sign(v.op) :
    v.args.map(a => isNode(a) ? '' : number(a, 3)).join(` ${sign(v.op)} `).trim())
  const id = v => v.name || '#' + values.indexOf(v), called = v => v.name || (v == values.at(-1) ? 'the result' : `“${label(v)}”`)
  const made = () => values.filter(v => v.op), count = () => 2 * made().length
  const second = test => 1 + run.visits.findIndex(({passed}, k) => passed.some(({to}) => test(to) && arrived(k + 1, to).length > 1))
  // the step at which a value, best one that isn't a variable, gets its second contribution
  const telling = () => made().length + (second(v => v.op) || second(() => true) || made().length)
  const arrived = (k, v) => [...v == values.at(-1) && k ? [1] : [], ...run.visits.slice(0, k).flatMap(({passed}) => passed.filter(p => p.to == v).map(p => p.part))]
  const input = h('input', {type: 'text', value: expression, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', oninput: () => type(input.value)})
  const steps = player(root, count, () => draw(), live)
  const example = choose('Example', Object.fromEntries(Object.entries(EXAMPLES).map(([key, [title]]) => [key, title])),
    Object.keys(EXAMPLES).find(key => EXAMPLES[key][1] == expression) ?? 'own', key => {
      Object.assign(numbers, EXAMPLES[key][2])
      type(input.value = EXAMPLES[key][1] ?? expression, key)
    })
  function type(text, key = 'own') {   // what can't be read leaves the last graph where it is
    example.querySelector('select').value = key
    try { values = read(text) } catch (e) { input.setAttribute('aria-invalid', 'true'); return live.set(e.message) }
    input.removeAttribute('aria-invalid')
    expression = text
    begin()
  }
  function begin() {
    const number = ({name}, i) => field(`Value of ${name}`, () => numbers[name] ??= [2, -1, 3, .5][i], value => { numbers[name] = value; again(); draw() })
    fields.replaceChildren(...values.filter(v => !v.op).map((v, i) => h('label', {}, h('span', {}, v.name), number(v, i))))
    again()
    steps.go(telling())
  }
  const again = () => { run = compute(values, numbers, order) }
  function draw() {
    const n = made().length, t = Math.min(steps.step, 2 * n), k = Math.max(0, t - n), visit = k ? run.visits[k - 1] : null, last = t && !k ? made()[t - 1] : null
    const right = compute(values, numbers, 'youngest'), off = v => { const [a, b] = [run, right].map(r => sum(r.parts.get(v))); return Math.abs(a - b) > 1e-9 * (1 + Math.abs(b)) }
    const width = graph.clientWidth || 330, wide = width > 480, height = wide ? 264 : 300, [W, H] = wide ? [78, 58] : [98, 31]
    const said = [], {slots, lines} = layout(values, {size: wide ? height : width, box: wide ? H + 8 : W + 5, line: wide ? 22 : 16})
    const end = slots.length - 1, pitch = Math.min(wide ? 130 : 62, ((wide ? width - W : height - H) - 4) / end), long = wide ? width : height
    const XY = (level, at) => { const along = long / 2 + (end / 2 - level) * pitch; return (wide ? [along, at] : [at, along]).map(x => +x.toFixed(1)) }
    const bend = ([u, v], [x, y]) => wide ? `C${(u + x) / 2},${v} ${(u + x) / 2},${y} ${x},${y}` : `C${u},${(v + y) / 2} ${x},${(v + y) / 2} ${x},${y}`
    const edges = lines.map(({from, to, line, shift}) => {
      const points = line.map((s, i) => i && i < line.length - 1 ? XY(s.level, s.at) : XY(s.level + (i ? -.5 : .5) * (wide ? W : H) / pitch, s.at + (i ? 8 : 18) * shift * s.tight))
      const d = 'M' + points[0] + points.slice(1).map((point, i) => bend(points[i], point)).join('')
      const back = visit?.from == from, colour = from == last ? 'var(--blue)' : back ? 'var(--orange)' : 'var(--edge)', [x, y] = points.at(back ? -1 : 0), s = back ? 6 : -6
      return [h('path', {d, fill: 'none', stroke: colour, 'stroke-width': colour == 'var(--edge)' ? 1 : 2.5}),
        h('path', {d: `M${x},${y}` + (wide ? `l${s},-4v8z` : `l-4,${s}h8z`), fill: colour})]
    })
    const boxes = slots.flat().filter(s => s.value).map(({value: v, level, at, tight}) => {
      const [x, y] = XY(level, at), w = wide ? W : W * tight, parts = arrived(k, v), several = parts.length > 1
      const [top, left, right] = [y - (wide ? H * tight : H) / 2, x - w / 2 + 5, x + w / 2 - 5]
      const known = !v.op || made().indexOf(v) < t ? number(run.value.get(v), wide ? 4 : 3) : ''
      const adding = parts.map((p, i) => i ? (p < 0 ? ' − ' : ' + ') + number(Math.abs(p), 2) : number(p, 2)).join('')
      const grad = parts.length ? number(sum(parts), 3) + (k == n && off(v) ? ' ✗' : '') : ''
      const glow = v == last ? 'blue' : visit?.from == v || visit?.passed.some(p => p.to == v) ? 'orange' : 'line'
      said.push(called(v) + ' ' + known + (grad && ', gradient ' + grad))
      const texts = wide ? [[x, 14, label(v), 'bold', 'middle'], [x, 28, known, 'blue', 'middle'], [x, several ? 53 : 43, several ? '= ' + grad : grad, 'orange', 'middle'],
        [x, 41, several && (parts.length < 4 ? adding : parts.length + ' parts'), 'orange', 'middle']]
        : [[left, 13, label(v), 'bold', 'start'], [right, 13, known, 'blue', 'end'], [right, 26, (several && parts.length < 3 && w > 90 ? adding + ' = ' : '') + grad, 'orange', 'end']]
      return h('g', {'data-name': id(v)}, h('rect', {x: left - 5, y: top, width: w, height: wide ? H * tight : H, rx: 5, fill: 'var(--wash)', stroke: `var(--${glow})`, 'stroke-width': glow == 'line' ? 1 : 2.5}),
        texts.map(([x, down, text, name, anchor]) => text && write(x, top + down, text, name, anchor)))
    })
    graph.replaceChildren(h('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `The graph: ${said.join('; ')}`}, edges, boxes))
    live.set(sentence(t, n, k, visit, last, off))
  }
  function sentence(t, n, k, visit, last, off) {
    if (!t) return 'Every variable has its value. Step forwards to compute the result.'
    if (last) return `Forwards: ${called(last)} is ${number(run.value.get(last))}.`
    const gets = visit.passed.map(({to, local, part}) => `${called(to)} gets ${number(visit.upstream, 3)} × ${number(local, 3)} = ${number(part, 3)}`).join(', ')
    const late = run.parts.get(visit.from).slice(visit.had), wrong = k == n ? values.filter(v => !v.op && off(v)).map(v => v.name) : []
    const twice = [...new Set(visit.passed.map(p => p.to))].filter(v => arrived(k, v).length > 1).map(v => `${called(v)} has ${number(sum(arrived(k, v)), 3)}`)
    return `Backwards from ${called(visit.from)}: ${gets}. ` + (wrong.length ? `Wrong in the end: ${wrong.join(', ')}.` : late.length ?
      `Too early: ${called(visit.from)} still misses ${late.map(p => number(p, 3)).join(' and ')}.` : twice.length ? `It adds up: ${twice.join(', ')}.` : '')
  }
  watch(graph, () => run && draw())
  return {
    draw: begin, go: steps.go, type: text => { input.value = text; type(text) },
    view: [div('row thirds', example, choose('Backwards', {youngest: 'youngest first', discovery: 'as discovered'}, order, value => { order = value; again(); steps.go(count()) }), h('label', {class: 'grow typed'}, h('span', {}, 'Expression'), input)),
      fields, steps.element, live.element, graph,
      hint('Blue: values. Orange: gradients of the result. Use + - * / **, exp, log, relu; q = x * x; names a value.')],
    get state() {
      return {expression, order, step: steps.step, count: count(), telling: telling(), numbers: Object.fromEntries(values.filter(v => !v.op).map(v => [v.name, numbers[v.name]])),
        visits: run.visits.map(({from, upstream, passed}) => ({from: id(from), upstream, passed: passed.map(({to, local, part}) => ({to: id(to), local, part}))})),
        values: values.map(v => ({id: id(v), op: v.op ?? null, level: v.level, value: run.value.get(v), parts: run.parts.get(v), grad: sum(run.parts.get(v))}))}
    }}
})
