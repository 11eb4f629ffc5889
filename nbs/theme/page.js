// What a page of the offline edition does by itself: maths, dark mode, anchors, copying, search. No other script.
const make = (tag, properties, ...children) => { const e = Object.assign(document.createElement(tag), properties); e.append(...children); return e }
const html = document.documentElement, $ = s => document.querySelector(s), all = s => document.querySelectorAll(s)

// Formulas are MathML, which browsers show by themselves; KaTeX sets them anew from the TeX that they carry.
for (const e of window.katex ? all("math") : []) {
  const display = e.getAttribute("display") == "block", span = make("span", {className: `math ${display ? "display" : "inline"}`})
  span.textContent = e.querySelector("annotation").textContent.replace(/\\qquad\\text\{\(([\d.]+)\)\}/, "\\tag{$1}")   // a number at the right
  e.replaceWith(span)
}
for (const e of window.katex ? all(".math") : []) katex.render(e.textContent, e, {displayMode: e.classList.contains("display"), throwOnError: false})

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
    try { await navigator.clipboard.writeText(pre.querySelector("code").innerText), copy.textContent = "Copied" }
    catch { getSelection().selectAllChildren(pre), copy.textContent = "Selected" }   // over plain http there is no clipboard
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

// Search. MiniSearch and the index are scripts, loaded when somebody begins to type: fetching is not allowed where the site is a folder.
const field = $("#search"), results = $("#results")
const SAME = [["vanishing", "exploding", "vanish", "explode"], ["xavier", "glorot"], ["kaiming", "he"], ["lr", "rate"], ["crossentropy", "cross"], ["backprop", "backpropagation"],
  ["grad", "gradient"], ["sqrt", "√5"], ["std", "deviation"], ["relu", "rectifier"], ["matmul", "product"], ["nll", "likelihood"], ["jacobian", "vjp"], ["batchnorm", "layernorm", "normalisation"], ["finite", "central"], ["gradcheck", "checking"], ["dead", "zero"]]
const stem = word => word.toLowerCase().replace(/iz(?=e|a|i)/g, "is").replace(/(?<=[a-z]{3})s$/, "")
let engine = null, lessons = null, failed = ""
const script = src => new Promise((onload, onerror) => document.head.append(make("script", {src, onload, onerror})))
field.onfocus = async () => {
  field.onfocus = null
  try { await Promise.all([script("theme/minisearch/minisearch.min.js"), script("search.js")]) }
  catch { failed = "Search could not be loaded"; return find() }
  engine = new MiniSearch({idField: "href", fields: ["title", "page", "terms", "text", "code"], storeFields: ["title", "page", "text"], processTerm: stem})
  engine.addAll(SEARCH)
  lessons = new Set(SEARCH.filter(s => /^[0-9]/.test(s.page)).map(s => s.href))
  find()
}
function look(words) {
  const options = {boost: {title: 8, page: 3, terms: 2, code: .4}, prefix: term => term.length > 1, fuzzy: term => term.length > 4 && .15, boostDocument: (id, term, {title}) => /^\d+\.\d/.test(title) ? .2 : lessons.has(id) ? 1.5 : 1}   // tasks come after what they are about
  const one = word => ({combineWith: "OR", queries: SAME.find(set => set.includes(stem(word))) ?? [word]})
  const asked = combineWith => engine.search({combineWith, queries: words.map(one)}, options)
  const every = asked("AND")
  return every.length ? every : asked("OR")
}
function find() {
  const words = field.value.split(/[\s=:,()'"]+/).filter(Boolean), found = engine && words.length ? look(words) : []
  const marked = (text, terms) => text.split(RegExp(`(${terms.map(t => t.replace(/[^\p{L}\p{N}]/gu, "\\$&")).join("|")})`, "i")).map((part, i) => i % 2 ? make("mark", {}, part) : part)
  results.replaceChildren(...found.slice(0, 12).map(({id, title, page, text, match}, i) => {
    const terms = Object.keys(match), first = Math.max(0, text.search(RegExp(terms[0], "i"))), at = text.lastIndexOf(" ", Math.max(0, first - 40)) + 1
    const [file, place] = id.split("#"), href = `${file}?q=${encodeURIComponent(terms.join(" "))}${place ? "#" + place : ""}`
    return make("a", {href, role: "option", id: `hit-${i}`, tabIndex: -1}, make("b", {}, ...marked(title, terms)), make("i", {textContent: title == page ? "" : page}), make("span", {}, ...marked(text.slice(at, at + 120), terms)))
  }))
  if ((engine || failed) && words.length && !found.length) results.append(make("p", {textContent: failed || "Nothing found"}))
  field.ariaExpanded = String(found.length > 0)
  $("#found").textContent = failed || (words.length ? `${found.length} sections found` : "")
  choose(0)
}
function choose(i) {
  const hits = [...all("#results a")]
  hits.forEach((a, j) => { a.ariaSelected = String(i == j) })
  hits[i]?.scrollIntoView({block: "nearest"})
  field.setAttribute("aria-activedescendant", hits[i]?.id ?? "")
}
field.oninput = find
const leave = () => { field.value = ""; find() }
addEventListener("click", e => { if (!e.target.closest("[role=search]")) leave() })
addEventListener("keydown", e => {
  if ((e.key == "/" || e.key == "k" && (e.ctrlKey || e.metaKey)) && !e.target.closest("input, textarea, select, [contenteditable]")) { field.focus(); e.preventDefault() }
  if (e.target != field) return
  const hits = [...all("#results a")], at = hits.findIndex(a => a.ariaSelected == "true"), step = {ArrowDown: 1, ArrowUp: -1}[e.key]
  if (e.key == "Escape") leave()
  if (e.key == "Enter") hits[at]?.click()
  if (step && hits.length) { choose((at + step + hits.length) % hits.length); e.preventDefault() }
})
// What was looked for is marked on the page that a result leads to.
const asked = new URLSearchParams(location.search).get("q")
if (asked && window.Highlight) {
  const wanted = RegExp(asked.split(" ").map(t => t.replace(/[^\p{L}\p{N}]/gu, "\\$&")).join("|"), "gi"), ranges = []
  for (const texts = document.createTreeWalker($("main"), NodeFilter.SHOW_TEXT); texts.nextNode();) for (const m of texts.currentNode.data.matchAll(wanted)) {
    const range = document.createRange()
    range.setStart(texts.currentNode, m.index)
    range.setEnd(texts.currentNode, m.index + m[0].length)
    ranges.push(range)
  }
  CSS.highlights.set("asked", new Highlight(...ranges))
}
