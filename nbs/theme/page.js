// What a page of the offline edition does by itself: maths, dark mode, anchors, copying, search. No other script.
const make = (tag, properties, ...children) => { const e = Object.assign(document.createElement(tag), properties); e.append(...children); return e }
const html = document.documentElement, $ = s => document.querySelector(s), all = s => document.querySelectorAll(s)

const keep = (...nodes) => { const whole = make("span", {className: "whole"}); nodes[0].before(whole); whole.append(...nodes) }
for (const e of window.katex ? all(".math") : []) {
  katex.render(e.textContent, e, {displayMode: e.classList.contains("display"), throwOnError: false})
  const next = e.nextSibling, marks = next?.nodeType == 3 && next.data.match(/^[.,;:)]+/)
  const last = [...e.querySelectorAll(".inline .katex-base")].pop()
  if (!marks || !last) continue
  next.splitText(marks[0].length)   // no line begins with a full stop
  keep(last)
  keep(e, next)
}

const toggle = $("#theme")
const label = () => toggle.textContent = html.dataset.theme == "dark" ? "Light mode" : "Dark mode"
toggle.onclick = () => { html.dataset.theme = stored("theme", html.dataset.theme == "dark" ? "light" : "dark"); label() }
label()

const narrow = matchMedia("(max-width: 800px)")
narrow.onchange = () => { for (const e of all("#nav, #toc")) e.open = !narrow.matches }
narrow.onchange()

for (const h of all("main h2[id], main h3[id]")) h.append(make("a", {className: "anchor", href: "#" + h.id, ariaLabel: "Link to this section", textContent: "#"}))

for (const pre of all("pre.sourceCode")) {
  const copy = make("button", {className: "copy", type: "button", textContent: "Copy"})
  copy.onclick = async () => {
    await navigator.clipboard.writeText(pre.querySelector("code").innerText)
    copy.textContent = "Copied"
    setTimeout(() => copy.textContent = "Copy", 1500)
  }
  pre.parentNode.append(copy)
}

// The table of contents follows the reader.
const places = new Map([...all("#toc a")].map(a => [document.getElementById(decodeURIComponent(a.hash.slice(1))), a]))
const follow = () => {
  const atEnd = innerHeight + scrollY > html.scrollHeight - 2
  const last = [...places.keys()].filter(h => h && (atEnd || h.getBoundingClientRect().top < 120)).pop()
  for (const [h, a] of places) {
    if ((h == last) == a.hasAttribute("aria-current")) continue
    a.toggleAttribute("aria-current", h == last)
    const list = $("aside"), at = a.getBoundingClientRect(), box = list.getBoundingClientRect()
    if (h == last && (at.top < box.top + 40 || at.bottom > box.bottom - 40)) list.scrollTop += at.top - box.top - box.height / 2
  }
}
let waits = false
addEventListener("scroll", () => { if (!waits) requestAnimationFrame(() => { waits = false; follow() }); waits = true }, {passive: true})
follow()

// The index is a script and not JSON, so that search also works from a folder, where fetching is not allowed.
const field = $("#search"), results = $("#results")
field.onfocus = () => { if (!$("#index")) document.head.append(make("script", {id: "index", src: "search.js", onload: find})) }
field.oninput = find
const leave = () => { field.value = ""; find() }
addEventListener("click", e => { if (!e.target.closest("[role=search]")) leave() })
addEventListener("keydown", e => {
  const links = [...all("#results a")], at = links.indexOf(document.activeElement)
  if ((e.key == "/" || e.key == "k" && (e.ctrlKey || e.metaKey)) && !e.target.closest("input, textarea, select, [contenteditable]")) { field.focus(); e.preventDefault() }
  if (!e.target.closest("[role=search]")) return
  if (e.key == "Escape") { leave(); field.focus() }
  if (e.key == "Enter" && at < 0) links[0]?.click()
  const step = {ArrowDown: 1, ArrowUp: -1}[e.key]
  if (step) { (links[at + step] ?? field).focus(); e.preventDefault() }
})
function find() {
  const words = field.value.toLowerCase().split(/[\s=:,()'"]+/).filter(Boolean)
  const has = (text, word) => text.toLowerCase().includes(word)
  const found = words.length && window.SEARCH ? SEARCH.filter(s => words.every(w => has(s.title + " " + s.text, w))) : []
  const rank = s => words.filter(w => has(s.title, w)).length
  found.sort((a, b) => rank(b) - rank(a))
  results.replaceChildren(...found.slice(0, 12).map(s => {
    const at = s.text.lastIndexOf(" ", Math.max(0, s.text.toLowerCase().indexOf(words[0]) - 40)) + 1
    return make("li", {}, make("a", {href: s.href}, make("b", {textContent: s.title}), make("span", {textContent: s.text.slice(at, at + 120)})))
  }))
  if (words.length && window.SEARCH && !found.length) results.append(make("li", {}, make("p", {textContent: "Nothing found"})))
  $("#found").textContent = words.length ? `${found.length} sections found` : ""
}
