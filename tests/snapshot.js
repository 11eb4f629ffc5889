// A figure as one SVG of its own: what stands in its `.stage`, as the browser has laid it out and coloured it.
// A function of the figure; it needs no names, no styles and no scripts afterwards, so it can be an <img> anywhere.
root => {
  const SIZES = ['x', 'y', 'x1', 'y1', 'x2', 'y2', 'cx', 'cy', 'r', 'rx', 'width', 'height', 'd', 'points', 'transform', 'viewBox', 'href', 'preserveAspectRatio', 'stroke-linecap']
  const stage = root.querySelector('.stage'), origin = stage.getBoundingClientRect(), ink = document.createElement('canvas').getContext('2d')
  const round = v => String(+v.toFixed(1)), escape = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const tag = (name, attributes, ...inside) => `<${name}` + Object.entries(attributes).filter(([, v]) => v != null && v !== '')
    .map(([k, v]) => ` ${k}='${typeof v == 'number' ? round(v) : v}'`).join('') + (inside.length ? `>${inside.join('')}</${name}>` : '/>')
  function paint(name, css) {   // an attribute or two: #rrggbb, and how opaque
    if (!css || css == 'none') return {[name]: 'none'}
    const parts = css.match(/[\d.e-]+/g).map(Number), unit = css.startsWith('color(') ? 255 : 1
    const hex = parts.slice(0, 3).map(v => Math.round(v * unit).toString(16).padStart(2, '0')).join('')
    return {[name]: '#' + hex, [name + '-opacity']: (parts[3] ?? 1) < 1 ? parts[3].toFixed(2) : null}
  }
  const clear = css => css == 'transparent' || / 0\)$/.test(css)
  const font = style => ({'font-size': parseFloat(style.fontSize), 'font-weight': style.fontWeight >= 600 ? 600 : null,
    'font-family': /mono/.test(style.fontFamily) ? 'monospace' : null})

  function drawn(e) {   // a part of a drawing
    const style = getComputedStyle(e), name = e.tagName
    if (style.display == 'none' || name == 'path' && style.fill == 'none' && style.stroke == 'none') return ''
    const attributes = Object.fromEntries(SIZES.map(a => [a, e.getAttribute(a)]))
    if (style.opacity != 1) attributes.opacity = style.opacity
    if (name == 'text') Object.assign(attributes, paint('fill', style.fill), font(style), {'text-anchor': e.getAttribute('text-anchor')})
    else if (name != 'g' && name != 'image') {
      Object.assign(attributes, paint('fill', style.fill), style.stroke == 'none' ? {} : {...paint('stroke', style.stroke),
        'stroke-width': parseFloat(style.strokeWidth), 'stroke-dasharray': style.strokeDasharray == 'none' ? null : style.strokeDasharray.replaceAll('px', '')})
    }
    return tag(name, attributes, ...(name == 'text' ? [escape(e.textContent)] : [...e.children].map(drawn)))
  }
  function words(style, text, box) {   // a line of text, at its baseline; set from the right where it ends there
    ink.font = style.font
    const right = ['right', 'end'].includes(style.textAlign), middle = style.textAlign == 'center'
    return tag('text', {x: (right ? box.right : middle ? (box.left + box.right) / 2 : box.left) - origin.left,
      y: box.top - origin.top + ink.measureText(text).fontBoundingBoxAscent, ...paint('fill', style.color), ...font(style),
      'text-anchor': right ? 'end' : middle ? 'middle' : null}, escape(text))
  }
  function lines(node, style) {   // a text as the lines that it is broken into
    const found = [], range = document.createRange()
    for (let i = 0; i < node.length; i++) {
      range.setStart(node, i); range.setEnd(node, i + 1)
      const box = range.getBoundingClientRect(), last = found.at(-1), letter = node.data[i]
      if (!box.width || (!last || box.top > last.top + 3) && /\s/.test(letter)) continue
      if (!last || box.top > last.top + 3) found.push({text: letter, top: box.top, left: box.left, right: box.right})
      else Object.assign(last, {text: last.text + letter, right: /\s/.test(letter) ? last.right : box.right})
    }
    return found.map(line => words(style, line.text.trimEnd(), line))
  }
  function shown(e) {   // an element of the page: its ground and border, then what is in it
    const style = getComputedStyle(e), box = e.getBoundingClientRect(), place = {x: box.left - origin.left, y: box.top - origin.top, width: box.width, height: box.height}
    if (style.display == 'none' || style.visibility == 'hidden' || !box.width || e.matches('.off-stage')) return ''
    if (e.tagName == 'svg') return tag('svg', {...place, overflow: 'visible', viewBox: e.getAttribute('viewBox') ?? `0 0 ${round(box.width)} ${round(box.height)}`}, ...[...e.children].map(drawn))
    if (e.tagName == 'CANVAS') return tag('image', {...place, href: e.toDataURL('image/webp', .9), preserveAspectRatio: 'none'})
    const out = [], edges = ['Top', 'Right', 'Bottom', 'Left'].map(side => [parseFloat(style[`border${side}Width`]), style[`border${side}Color`]])
    if (!clear(style.backgroundColor) || edges.every(([wide]) => wide)) out.push(tag('rect', {...place, rx: parseFloat(style.borderRadius) || null,
      ...paint('fill', clear(style.backgroundColor) ? 'none' : style.backgroundColor), ...(edges.every(([wide]) => wide) ? {...paint('stroke', edges[0][1]),
        'stroke-dasharray': style.borderTopStyle == 'dashed' ? '3 2' : null} : {})}))
    else if (edges[3][0]) out.push(tag('rect', {...place, width: edges[3][0], ...paint('fill', edges[3][1])}))
    else if (edges[2][0]) out.push(tag('rect', {...place, y: place.y + box.height - 1, height: edges[2][0], ...paint('fill', edges[2][1])}))
    if (e.tagName == 'INPUT') {
      ink.font = style.font
      const {fontBoundingBoxAscent: up, fontBoundingBoxDescent: down} = ink.measureText(e.value), top = box.top + (box.height - up - down) / 2
      out.push(words(style, e.value, {top, left: box.left + 5, right: box.right - parseFloat(style.paddingRight) - 1}))
    }
    for (const child of e.childNodes) out.push(...(child.nodeType == 3 ? lines(child, style) : child.nodeType == 1 ? [shown(child)] : []))
    return out.join('')
  }
  const [width, height] = [Math.ceil(origin.width) + 16, Math.ceil(origin.height) + 16]
  return tag('svg', {xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `-8 -8 ${width} ${height}`, 'font-family': 'system-ui,sans-serif'}, shown(stage)).replaceAll('><', '>\n<') + '\n'
}
