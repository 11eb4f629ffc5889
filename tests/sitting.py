"What a reader of a lesson's page has before them up to its practice, measured in a browser that shows it at 1280 px, with folded parts folded; what a check claims is counted apart."
SCREEN = 1000   # pixels
LIMITS = {'screens': 20, 'words': 3000, 'code lines': 250, 'first picture': 2, 'first figure to touch': 3, 'longest stretch': 2}
TO_TOUCH = {'data', 'matmul', 'forward', 'init', 'depth', 'backprop', 'gradcheck', 'autograd', 'train', 'limit', 'distributed'}   # the lessons with a figure

MEASURE = r"""() => {
  const main = document.querySelector("main"), all = s => [...main.querySelectorAll(s)]
  const stop = document.getElementById("practice"), after = e => stop && (e == stop || stop.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)
  const seen = e => e.checkVisibility() && !after(e), top = e => e.getBoundingClientRect().top + scrollY, bottom = e => e.getBoundingClientRect().bottom + scrollY
  const screen = e => e ? Math.floor(top(e) / 1000) + 1 : null
  let words = 0
  const aside = "pre, table, .math, .fastlesson, nav, .entry, p.head, .code-fold > summary, script, style, .anchor, .copy"
  for (const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT); texts.nextNode();) {
    const text = texts.currentNode
    if (!text.parentElement.closest(aside) && seen(text.parentElement)) words += text.data.trim().split(/\s+/).filter(w => /[\p{L}\p{N}]/u.test(w)).length
  }
  words += all(".math").filter(e => seen(e) && !e.closest("table")).length
  const lines = all("pre.sourceCode, div.sourceCode pre").filter((e, i, es) => seen(e) && es.indexOf(e) == i).map(e => e.innerText.split("\n").filter(l => l.trim()).length)
  const pictures = all("img, .fastlesson").filter(seen).sort((a, b) => top(a) - top(b))
  const sights = all("img, .fastlesson, .fastlesson-predict, table").filter(seen).sort((a, b) => top(a) - top(b))
  const end = stop ? top(stop) : bottom(main)
  let from = 0, longest = 0, where = 0
  for (const [a, b] of [...sights.map(e => [top(e), bottom(e)]), [end, end]]) {
    if (a - from > longest) [longest, where] = [a - from, from]
    from = Math.max(from, b)
  }
  return {screens: (stop ? end : document.documentElement.scrollHeight) / 1000, words, "code lines": lines.reduce((a, b) => a + b, 0), "first picture": screen(pictures[0]),
          "first figure to touch": screen(pictures.find(e => e.matches(".fastlesson"))), "longest stretch": longest / 1000, "stretch begins on screen": where / 1000, claims: all("summary .tick").length}
}"""


def sitting(page):
    "The numbers of a page that is open in the browser, by the names of `LIMITS`, and the number of claims."
    page.evaluate('document.fonts.ready')
    return page.evaluate(MEASURE)


def too_much(numbers):
    "What of it is more than one sitting holds."
    return {name: numbers[name] for name, limit in LIMITS.items() if (numbers[name] or 0) > limit}
