// Questions to answer before reading on. What is said stands in the HTML already, in folds: they serve where no script runs, and on paper.
for (const root of document.querySelectorAll('.fastlesson-predict:not([data-ready])')) {
  const {answer, within, unit} = root.dataset, folds = [...root.querySelectorAll('details')]
  const make = (tag, attributes, inside = '') => Object.assign(document.createElement(tag), attributes, {innerHTML: inside})
  const row = make('div'), said = make('section', {ariaLive: 'polite'}), right = folds.findIndex(fold => 'right' in fold.dataset)
  const say = (...parts) => said.replaceChildren(...parts.map(part => part.cloneNode(true)))
  const reason = i => folds[i].querySelector('p')
  if (answer) {
    const field = make('input', {type: 'number', step: 'any', ariaLabel: `Your prediction${unit && `, in ${unit}`}`})
    const check = () => {
      const ratio = field.valueAsNumber / answer, off = Math.max(ratio, 1 / ratio)
      if (Number.isNaN(ratio)) return field.focus()
      const verdict = off == 1 ? 'exactly' : ratio > 0 && off <= within * (1 + 1e-9) ? 'close enough'
        : ratio > 0 && answer > 0 ? `too ${ratio < 1 ? 'small' : 'large'}, by a factor of ${+off.toPrecision(2)}` : 'no'
      say(make('p', {}, `<b>${field.value}: ${verdict}.</b>`), reason(right))
    }
    field.onkeydown = e => { if (e.key == 'Enter') check() }
    field.onwheel = () => field.blur()   // it scrolls the page, and changes no number
    row.append(field, unit, make('button', {type: 'button', onclick: check}, 'Check'), within > 1 ? `within a factor of ${within}` : '')
  } else folds.forEach((fold, i) => row.append(make('button', {type: 'button', ariaPressed: false, onclick: e => {
    for (const button of row.children) button.ariaPressed = button == e.currentTarget
    row.children[right].className = 'right'
    say(...i == right ? [] : [reason(i)], reason(right))
  }}, fold.querySelector('summary').innerHTML)))
  root.firstElementChild.after(row, said)
  root.addEventListener('keydown', e => e.stopPropagation())   // a notebook must not take our keys for its own
  root.dataset.ready = ''
}
