// The race: how often each version has done the same product after the same time, in true proportion. One dot is one finished
// product. The times are a record's: a version does one product after the other, each in the median time that was measured.

const whole = v => Math.floor(v).toLocaleString('en')
function duration(s) {   // with a unit, four digits at most
  const [size, unit] = [[1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [0, 'ns']].find(([size]) => s >= size)
  return s ? `${number(s / (size || 1e-9), 3)} ${unit}` : '0 s'
}
const MOMENTS = 1000   // the places of the slider

bring('matmul_race', (root, {rows, size, n, steps, where}) => {
  const slowest = rows.reduce((a, b) => b.seconds > a.seconds ? b : a), quickest = rows.reduce((a, b) => b.seconds < a.seconds ? b : a)
  const end = slowest.seconds, most = end / quickest.seconds
  const wide = Math.ceil(Math.sqrt(2.5 * most)), high = Math.ceil(most / wide)   // a place for a dot each, wider than high
  const gentle = Math.max(1, +(12 / end).toPrecision(1))   // so slowly that all of it takes about twelve seconds
  let time = end / n, slower = gentle, opening = true, last = 0
  // What is finished is finished: a moment that is a version's own, and is a rounding error short of it, counts
  const finished = row => Math.floor(time / row.seconds * (1 + 1e-12))
  const share = () => Math.min(1, time / end * (1 + 1e-12))   // of the slowest version's product

  const live = speaker()
  const at = slider('Time', {min: 0, max: MOMENTS, value: MOMENTS / n}, value => { run.stop(); go(end * value / MOMENTS) }, () => duration(time))
  const play = button('Replay', () => {
    if (run.running) return run.stop()
    if (opening || time >= end) go(0)
    last = performance.now()
    run.start()
  }, {class: 'main'})
  const run = loop(root, () => {
    const now = performance.now()
    go(time + (now - last) / 1000 / slower)
    last = now
    return time < end
  }, () => 30, on => { play.textContent = on ? 'Pause' : time < end ? 'Play' : 'Replay'; live.quiet(on) })
  const lanes = rows.map(row => {
    const count = h('b'), canvas = h('canvas', {width: wide, height: high, role: 'img'})
    const first = button(row.rung, () => { run.stop(); go(row.seconds) }, {'aria-label': `${row.rung}: to its first finished product`})
    return {row, count, canvas, element: div('lane', div('row', first, h('span', {class: 'hint'}, duration(row.seconds))), canvas, count)}
  })
  function go(t) {
    time = Math.max(0, Math.min(end, t))
    opening = false
    draw()
  }

  function draw() {
    const {round, floor} = Math, done = floor(n * share())
    at.set(round(MOMENTS * time / end))
    for (const {row, count, canvas} of lanes) {
      const dots = finished(row), c = canvas.getContext('2d', {willReadFrequently: true})
      count.textContent = dots ? `${whole(dots)} product${dots > 1 ? 's' : ''}` : row == slowest ? `${done} of ${n} row${n > 1 ? 's' : ''}` : 'none yet'
      canvas.setAttribute('aria-label', `${row.rung}: ${count.textContent}`)
      c.clearRect(0, 0, wide, high)
      c.fillStyle = ink(root, '--blue')
      c.fillRect(0, 0, wide, floor(dots / wide))
      c.fillRect(0, floor(dots / wide), dots % wide, 1)
    }
    live.set(`After ${duration(time)} ${slowest.rung} has done ${whole(steps * share())} of the ${whole(steps)} multiplications of its first product` +
      `${done == n ? '' : `, ${done} of ${n} rows`}. ${quickest.rung} has finished ${whole(finished(quickest))} such products.`)
    if (!run.running) play.textContent = opening || time >= end ? 'Replay' : 'Play'
  }

  return {
    draw, go,
    view: [
      div('row', play, button(`${slowest.rung}: one row`, () => { run.stop(); go(end / n) }),
        choose('Speed', Object.fromEntries([...new Set([1, Math.max(1, gentle / 10), gentle])].map(k => [k, k > 1 ? `${number(k)} times slower` : 'as recorded'])),
          slower, value => { slower = +value }), at.element),
      live.element, div('stage', div('lanes', lanes.map(lane => lane.element))),
      hint(`A dot: one finished product, ${size}; beside a name, the time of one. Press a name to go to the moment when it finishes its first product. ${where}.`)],
    get state() { return {time, end, slower, running: run.running, share: share(), rows: Math.floor(n * share()),
      finished: Object.fromEntries(rows.map(row => [row.rung, finished(row)]))} }}
})
