// What both editions do alike: the switch for code, what scrolls from the keyboard, full stops after formulas, folded parts on paper. It runs before the page is drawn.
(() => {
  const root = document.documentElement, all = s => document.querySelectorAll(s)
  window.stored = (name, value) => {   // a browser may deny storage
    try { return value === undefined ? localStorage[name] : localStorage[name] = value } catch { return value }
  }
  const choices = ["all", "lesson", "none"]
  const show = choice => {
    root.dataset.code = choice
    for (const fold of all("main details.code-fold")) fold.open = choice == "all"
    for (const button of all("#code-switch button")) button.ariaPressed = button.textContent == choice
  }
  addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("#code-switch")   // a page without it shows its code
    place?.append("Code: ", ...choices.map(c => Object.assign(document.createElement("button"), {type: "button", textContent: c, onclick: () => show(stored("code", c))})))
    if (place) show(choices.find(c => c == stored("code")) ?? "lesson")
    for (const e of all("main blockquote")) e.dataset.kind = e.querySelector("strong")?.textContent ?? ""
    for (const e of all("pre.output, .cell-output pre")) e.classList.toggle("long", /.{100}/.test(e.textContent))   // a message of one long line
    const names = {PRE: "Code or output", TABLE: "Table", FIGURE: "Picture"}
    const stop = e => {
      const wide = e.scrollWidth > e.clientWidth
      if (!wide) e.removeAttribute("tabindex")
      else if (e.tabIndex < 0) e.tabIndex = 0
      if (wide && e.tagName != "TABLE") { e.role = "group"; e.ariaLabel = `${names[e.tagName] ?? "Formula"}, scrolls sideways` }
    }
    const sizes = new ResizeObserver(entries => entries.forEach(entry => stop(entry.target)))
    const boxes = all("main pre, main .math.display, main table, main figure, main .wide")
    boxes.forEach(e => sizes.observe(e))
    addEventListener("load", () => document.fonts.ready.then(() => boxes.forEach(stop)))
  })
  const keep = (...nodes) => { const whole = Object.assign(document.createElement("span"), {className: "whole"}); nodes[0].before(whole); whole.append(...nodes) }
  addEventListener("DOMContentLoaded", () => requestAnimationFrame(() => {   // no line begins with a full stop; by now the formulas are set
    for (const e of all(".math.inline")) {
      const next = e.nextSibling, marks = next?.nodeType == 3 && next.data.match(/^[.,;:)]+/), last = [...e.querySelectorAll(".katex-base")].pop()
      if (!marks || !last) continue
      next.splitText(marks[0].length)
      keep(last)
      keep(e, next)
    }
  }))
  const reveal = () => {   // a link into a folded part opens it
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)))
    for (let fold = place?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true
    if (place?.closest("details")) place.scrollIntoView()
  }
  addEventListener("load", reveal)
  addEventListener("hashchange", reveal)
  let opened = []
  addEventListener("beforeprint", () => {
    opened = [...all("main details:not(.code-fold, [open])")]
    for (const e of opened) e.open = true
  })
  addEventListener("afterprint", () => { for (const e of opened) e.open = false })
})()
