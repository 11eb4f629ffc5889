"The built site in a real browser, wide and narrow: nothing missing, nothing foreign, nothing broken, and each lesson one sitting."
import functools
import gzip
import json
import locale
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from html import unescape
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urldefrag, urljoin

import pypandoc
import pytest
import yaml
from execnb.nbio import mk_cell, read_nb
from fastcore.basics import AttrDict
from nbdev.config import get_config

from fastlesson import processors, site
from figure_page import new_page
from sitting import TO_TOUCH, sitting, too_much

CFG = get_config()
NOTEBOOKS = {page['output-file'].removesuffix('.html'): page['name'] for page in site.read_pages()}
PAGES, LESSONS = [*NOTEBOOKS], [name for name, notebook in NOTEBOOKS.items() if notebook[0] in '01']


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


class Address(str): "Where the site is served; `folder` is where it lies, and `weights` what the files weigh that were asked for."


@pytest.fixture(scope='module', params=['offline', 'quarto'])
def home(request, tmp_path_factory):
    "The address of the site, built of what is exported. FASTLESSON_QUARTO=1: without Quarto nothing would be tested, so fail."
    if request.param == 'quarto' and not shutil.which('quarto'):
        (pytest.fail if os.environ.get('FASTLESSON_QUARTO') else pytest.skip)('Quarto is not installed')
    out = tmp_path_factory.mktemp('site')/'site'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, '_export', lambda pages, marks: None)
        site.build(out, with_quarto=request.param == 'quarto')
    server = ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=out))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = Address(f'http://127.0.0.1:{server.server_port}/')
    address.folder, address.weights = out, {}
    yield address
    server.shutdown()


@contextmanager
def flawless(page, home):
    "While this lasts nothing goes wrong on a page, and all comes from the site: the addresses of what has come."
    loaded = set()
    def answered(r):
        if r.status >= 400: page.faults.append(f'{r.status}: {r.url}')
        loaded.add(r.url)
    def asked(r):
        if not r.url.startswith((home, 'data:')): page.faults.append(f'foreign: {r.url}')
    def failed(r): page.faults.append(f'failed: {r.url}')
    listeners = {'response': answered, 'request': asked, 'requestfailed': failed}
    page.faults.clear()
    for event, listener in listeners.items(): page.on(event, listener)
    yield loaded
    for event, listener in listeners.items(): page.remove_listener(event, listener)
    assert page.faults == []


@pytest.fixture(scope='module')
def page(request, tab, home):
    "A page of the site, loaded once for all tests that look at it: light on a wide screen, dark on a phone. `loaded` is what came with it."
    tab.name, width = request.param
    tab.goto('about:blank')
    tab.set_viewport_size({'width': width, 'height': 900})
    tab.emulate_media(color_scheme='light' if width > 800 else 'dark')
    with flawless(tab, home) as tab.loaded:
        tab.goto(f'{home}{tab.name}.html', wait_until='load')
        yield tab

def look_at(names, *widths):
    "What `page` shows, one after the other."
    return pytest.mark.parametrize('page', [(name, width) for name in names for width in widths], indirect=True, ids='{0[0]}-{0[1]}'.format)


@pytest.fixture(params=[1280, 390])
def open_page(request, browser, home):
    "Open a page of the site, and another in its place."
    page = new_page(browser, viewport={'width': request.param, 'height': 900})
    page.set_default_timeout(5000)
    page.set_default_navigation_timeout(30_000)   # figures compute while they load
    def open_(name):
        page.goto(f'{home}{name}.html', wait_until='load')
        return page
    with flawless(page, home): yield open_
    page.close()


@pytest.fixture
def wide(browser, home):
    "Open a page of the site at 1280 px, and another in its place."
    page = browser.new_page(viewport={'width': 1280, 'height': 900})
    page.set_default_timeout(5000)
    page.set_default_navigation_timeout(30_000)   # figures compute while they load
    def open_(name):
        page.goto(f'{home}{name}', wait_until='load')
        return page
    yield open_
    page.close()


def offline_only(page):
    if not page.locator('.offline').count(): pytest.skip('Quarto has its own')


def prepared(name): return site._prepared({'name': NOTEBOOKS[name]})


def headings(name):
    "How many sections the prepared notebook of a page has."
    prose = '\n'.join(c.source for c in prepared(name).cells if c.cell_type == 'markdown')
    return len(re.findall('^## ', re.sub('^```.*?^```', '', prose, flags=re.M | re.S), re.M))


def claims(name):
    "What the checks of a notebook claim."
    code = [c.source for c in read_nb(CFG.nbs_path/NOTEBOOKS[name]).cells if c.cell_type == 'code']
    return [claim.replace('`', '') for source in code for claim in re.findall(r'^#\| *check: *(.*\S)', source, re.M)]


@look_at(PAGES, 1280, 390)
def test_page(page):
    assert page.locator('h1').count() == 1 and page.locator('h1').inner_text()
    assert page.evaluate('document.documentElement.scrollWidth - innerWidth') <= 0, 'wider than the window'
    assert page.locator('.math').count() == page.locator('.math > .katex, .math > .katex-display > .katex').count()
    assert page.locator('.katex-error').count() == 0
    assert page.evaluate('[...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt || !i.getAttribute("height")).map(i => i.src)') == []
    assert page.locator('main h2').count() == headings(page.name), 'a fence is not closed, or closed too early'
    assert not page.evaluate('[...document.querySelectorAll("body [id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i)')
    text = page.locator('main').inner_text()
    assert [litter for litter in ('\\tag', '$$', ':::', '#| ', '{.tick}', 'fig-cap') if litter in text and page.name not in ('site', 'api', 'book', 'processors')] == []


JUMPED = """() => new Promise(say => {   // how far what is seen has moved; without an entry the observer keeps silent
  new PerformanceObserver(list => say(list.getEntries().reduce((sum, e) => sum + e.value, 0))).observe({type: 'layout-shift', buffered: true})
  setTimeout(() => say(0), 100)
})"""

@look_at(PAGES, 1280)
def test_light(page, home):
    "Before anything is opened: a page weighs little, packed as web servers send it, and does not jump while it loads."
    for url in page.loaded - home.weights.keys(): home.weights[url] = len(gzip.compress(page.request.get(url).body()))
    weight = sum(home.weights[url] for url in page.loaded if '_files/' not in url)
    assert 0 < weight < 1_000_000, f'{weight:,} bytes without its pictures'
    assert page.evaluate(JUMPED) < .1   # what the Web Vitals call good


@look_at(['index'], 390)
def test_what_there_is_fits_a_phone(page):
    assert page.evaluate('(table => table.scrollWidth - table.clientWidth)(document.querySelector("main table"))') <= 0


@look_at(LESSONS, 1280)
def test_sitting(page):
    offline_only(page)
    numbers = sitting(page)
    assert too_much(numbers) == {}, numbers
    assert numbers['first figure to touch'] or page.name not in TO_TOUCH, 'its figure to touch is gone'


@look_at(PAGES, 1280)
def test_claims(page):
    "Each check is one line, a tick and its claim, and what it runs is behind it."
    lines = page.locator('main details.code-fold > summary:has(.tick)')
    def plain(text): return ' '.join(text.translate(str.maketrans('’‘“”', '\'\'""')).split()).removeprefix('✓ ')
    assert [*map(plain, lines.all_inner_texts())] == [*map(plain, claims(page.name))]
    for summary in page.locator('main details.code-fold > summary').all()[:2]:
        code = summary.locator('xpath=..').locator('pre').first
        assert not code.is_visible()
        summary.click()
        assert code.is_visible()


@pytest.mark.parametrize('source, outputs, fault', [
    ('2 + 2', [], 'nothing is asserted'), ('assert_close = 1', [], 'nothing is asserted'), ('assert 1', [{}], 'shows'), ('#| check: said\nassert 1', [], 'twice')])
def test_checks_that_fail_the_build(source, outputs, fault):
    folds = processors.folds(SimpleNamespace(path_='nbs/00_data.ipynb'))
    folds.begin()
    folds.cell(mk_cell('#| check: said\nwith expect_fail(ValueError): int("x")', id='first'))
    cell = mk_cell(source if 'check' in source else f'#| check: a claim\n{source}', id='planted')
    cell.outputs = outputs
    with pytest.raises(ValueError, match=f"00_data.ipynb, cell 'planted'.*{fault}"): folds.cell(cell)


@pytest.mark.parametrize('assertion', ['assert 1', 'test_eq(1, 1)', 'torch.testing.assert_close(a, b)', 'for x in y: test_close(x, 1)', 'with expect_fail(): 1/0'])
def test_checks_that_pass(assertion):
    folds = processors.folds(SimpleNamespace(path_='nbs/00_data.ipynb'))
    folds.begin()
    folds.cell(cell := mk_cell(f'#| check: `x` is "1"\n{assertion}', id='check'))
    assert cell.source == f'#| code-fold: true\n#| code-summary: "[✓]{{.tick}} `x` is \\"1\\""\n{assertion}'


@look_at(LESSONS, 1280)
def test_head(page):
    head = ' '.join(page.locator('main p.head').inner_text().split())
    assert re.match(r'About \d*[05] minutes ·', head)
    titles = page.evaluate('[...document.querySelectorAll(".fastlesson")].map(e => e.ariaLabel)')
    assert [title for title in titles if title not in head] == []
    nb = read_nb(CFG.nbs_path/NOTEBOOKS[page.name])
    run, loads = nb.metadata.get('checked'), any('load_data(' in c.source for c in nb.cells if c.cell_type == 'code')
    if claims(page.name): assert f'{len(claims(page.name))} claims checked' + (f" on {run['data']} (" if run and loads else ' (' if run else '') in head
    if claims(page.name) and run: assert run['torch'].split('+')[0] in head and run['date'][:4] in head


ALIKE = """() => {   // what looks exactly like a word or line of code or a formula before it, on the same kind of ground, needs no second look
  for (const kind of ["main pre span:not(:has(*))", "main pre span:not(:has(span))", "main .katex"]) {
    const seen = new Set, again = []
    for (const e of document.querySelectorAll(kind)) {
      const {color, fontSize, fontWeight, fontStyle} = getComputedStyle(e), ground = e.closest("pre, blockquote, td, summary, figcaption, details, main")
      const look = [color, fontSize, fontWeight, fontStyle, ground.tagName, ground.className, getComputedStyle(ground).backgroundColor].join()
      if (seen.has(look)) again.push(e)
      seen.add(look)
    }
    for (const e of again) e.replaceWith(e.textContent)   // at the end: after a change, styles are computed anew
  }
}"""

@look_at(PAGES, 1280, 390)
def test_accessible(page):   # the last look at a page, because it takes things away
    from axe_playwright_python.sync_playwright import Axe   # read as ASCII where that is the locale's, and it is not
    page.evaluate(ALIKE)
    violations = Axe().run(page, options={'resultTypes': ['violations']}).response['violations']
    assert [(v['id'], [n['target'] for n in v['nodes']][:3]) for v in violations if v['impact'] in ('serious', 'critical')] == []


def test_switch(open_page):
    page = open_page('data')
    seen, closed = page.locator('main .sourceCode:visible'), page.locator('main details.code-fold:not([open])')
    before, folds = seen.count(), closed.count()
    def choose(name):
        page.locator('#code-switch button', has_text=name).click()
        assert page.locator('#code-switch [aria-pressed=true]').inner_text() == name
    choose('all')
    assert closed.count() == 0 and seen.count() > before
    open_page('matmul')   # the choice goes along
    assert closed.count() == 0
    choose('none')
    open_page('data')
    assert seen.count() == 0 and page.locator('main summary .tick:visible').count() == len(claims('data'))
    choose('lesson')
    assert (seen.count(), closed.count()) == (before, folds)
    page.evaluate('localStorage.clear()')


@pytest.mark.parametrize('storage', ['get() { throw new DOMException("denied", "SecurityError") }',
                                     'value: new Proxy({}, {set() { throw new DOMException("full", "QuotaExceededError") }})'], ids=['denied', 'full'])
def test_no_storage(browser, home, storage):
    "A browser that denies storage, or to write to it, costs nothing but the memory of a choice."
    page, faults = browser.new_page(), []
    page.add_init_script(f'Object.defineProperty(window, "localStorage", {{{storage}}})')
    page.on('pageerror', lambda e: faults.append(str(e)))
    page.goto(f'{home}forward.html')
    offline_only(page)
    page.locator('#code-switch button', has_text='all').click()
    assert page.locator('main details.code-fold:not([open])').count() == 0
    page.locator('#theme').click()
    assert page.locator('html').get_attribute('data-theme') == 'dark' and faults == []
    page.close()


def test_functions(wide):
    "A function has a place and a link to its source; the table of contents is for ideas."
    page = wide('matmul.html#matmul_dot')
    assert -5 < page.locator('#matmul_dot').bounding_box()['y'] < 900
    link = page.locator('#matmul_dot a').get_attribute('href')
    line = (CFG.lib_path/'matmul.py').read_text(encoding='utf-8').splitlines()[int(link.split('#L')[1]) - 1]
    assert line.startswith('def matmul_dot(')
    assert 'matmul_dot' not in page.locator('#toc, #TOC').first.inner_text()


def test_reference(wide):
    "Every public name of every module, in the order of the sidebar."
    page, found = wide('api.html'), ''
    text = page.locator('main').inner_text()
    for notebook in NOTEBOOKS.values():
        module = CFG.lib_path/re.sub(r'^\d+_(.*)ipynb', r'\1py', notebook)
        if not module.exists(): continue
        assert text.index(f'fastlesson.{module.stem}') > text.find(found)
        found = f'fastlesson.{module.stem}'
        names = re.search(r'__all__ = \[(.*?)\]', module.read_text(encoding='utf-8'), re.S)[1]
        assert [name for name in re.findall(r"'(\w+)'", names) if name not in text] == []


PLACES = """async names => {   // where the links of each page lead, and the places in it
  const found = []
  for (const name of names) {
    const page = new DOMParser().parseFromString(await (await fetch(`${name}.html`)).text(), "text/html"), all = s => [...page.querySelectorAll(s)]
    found.push([name, all("a[href]").map(e => e.getAttribute("href")), all("[id]").map(e => e.id)])
  }
  return found
}"""

def test_links(browser, home):
    (page := browser.new_page()).goto(f'{home}index.html')
    places = {f'{home}{name}.html': (links, set(ids)) for name, links, ids in page.evaluate(PLACES, PAGES)}
    own = f'{CFG.doc_host}{CFG.doc_baseurl}/'
    for at, link in {(at, urljoin(at, link)) for at, (links, _) in places.items() for link in links}:
        assert 'LNone' not in link, f'{at}: {link} has no line'
        assert not link.startswith(own), f'{at}: {link} should be relative'
        url, anchor = urldefrag(link)
        if not link.startswith(home) or anchor.startswith('/') or link.endswith('.epub'): continue   # `make book` makes that one
        url = url.removesuffix('/') + ('/index.html' if url == home else '')
        if url not in places: assert page.request.get(link).status == 200, f'{at}: no page {link}'
        elif anchor: assert anchor in places[url][1], f'{at}: no place {link}'
    assert any(urldefrag(link)[1] for links, _ in places.values() for link in links)
    assert sum(len(links) for links, _ in places.values()) > 1000
    page.close()


def test_links_in_markdown(home):
    "Beside each page lies its text for GitHub and for language models; its links lead to places that these know."
    def slug(heading): return re.sub(r'[^\w -]', '', re.sub(r'<[^>]+>|\[(.*?)\]\(.*?\)', r'\1', heading).replace('$', '').lower()).strip().replace(' ', '-')
    texts = {path.name: path.read_text(encoding='utf-8') for path in home.folder.glob('*.md')}
    prose = {name: re.sub(r'^(```|~~~).*?^\1', '', text, flags=re.M | re.S) for name, text in texts.items()}
    places = {name: {*map(slug, re.findall('^#+ (.*)$', text, re.M)), *re.findall('id="(.*?)"', text)} for name, text in prose.items()}
    links = [(name, file or name, place) for name, text in prose.items() for file, place in re.findall(r'\]\((\w*\.md)?#([^)]+)\)', text)]
    assert [link for link in links if link[2] not in places[link[1]]] == [] and len(links) > 200


def test_search(open_page):
    page = open_page('index')
    if page.locator('#search').count(): page.fill('#search', 'Kaiming')
    else:   # Quarto's
        page.locator('#quarto-search button').first.click()
        page.fill('.aa-Input', 'Kaiming')
    results = page.locator('#results a, .aa-Panel .search-result-link')
    results.first.wait_for()
    assert any('init.html' in (link.get_attribute('href') or '') for link in results.all())
    page.locator('#results a[href*="init.html"], .aa-Panel a[href*="init.html"]').first.click()
    page.wait_for_url('**/init.html*')
    assert 'kaiming' in page.locator('main').inner_text().lower()


FINDS = {   # what somebody types, and where the first result leads: by the names of readers, with endings, other spellings and typing errors
    'vanishing gradients': 'init.html#how-a-signal-explodes-or-vanishes', 'exploding': 'init.html#how-a-signal-explodes-or-vanishes',
    'crossentropy': 'train.html#crossentropy', 'initialization': 'init.html', 'initialisation': 'init.html', 'initialisaton': 'init.html',
    'sqrt(5)': 'depth.html#the-square-root-of-five', 'einsum': 'matmul.html#matmul_einsum', 'why einsum slow': 'matmul.html#why-einsum-is-slower-on-small-matrices',
    'chain rule': 'backprop.html#the-chain-rule', 'kaiming': 'init.html#he-2n_textin', 'he initialization': 'init.html#he-2n_textin',
    'xavier': 'init.html#glorot-the-compromise', 'glorot': 'init.html#glorot-the-compromise', 'learning rate': 'train.html#a-step-downhill',
    'momentum': 'train.html#a-step-downhill', 'broadcasting': 'matmul.html#broadcasting', 'strides': 'matmul.html#a-dot-product-at-a-time',
    'relu': 'forward.html#relu', 'log_softmax': 'train.html#log_softmax', 'log-sum-exp': 'train.html#log_softmax',
    'matmul_dot': 'matmul.html#matmul_dot', 'load_data': 'data.html#load_data', 'check_grads': 'gradcheck.html#check_grads', 'unbroadcast': 'autograd.html#unbroadcast',
    'topological order': 'autograd.html#the-youngest-first', 'the tape': 'autograd.html#the-tape', 'roofline': 'limit.html#roofline', 'triton': 'gpu.html#matmul_triton',
    'register tile': 'limit.html#the-register-tile', 'overfitting': 'train.html#learning-or-memorising', 'normalise': 'data.html#why-the-training-sets-numbers',
    'nn.Module': 'layers.html#what-nn.module-registers', 'mse': 'layers.html#mse', 'lsuv': 'depth.html#measure-instead-of-deriving', 'backpropogation': 'backprop.html',
    'fit': 'train.html#fit', 'save model': 'recipes.html#save-a-model-and-load-it', 'layer of my own': 'recipes.html#write-a-layer-of-your-own', 'hidden unit': 'forward.html#what-a-hidden-unit-looks-for'}

def test_search_finds(browser, home):
    (page := browser.new_page()).goto(f'{home}index.html')
    if not page.locator('#search').count(): pytest.skip("Quarto's search is its own")
    page.focus('#search')
    page.wait_for_function('engine')
    first = {}
    for words in FINDS:
        page.fill('#search', words)
        first[words] = page.locator('#results a').first.get_attribute('href')
    first = {words: re.sub(r'\?q=[^#]*', '', href) for words, href in first.items()}
    assert {words: href for words, href in first.items() if href != FINDS[words]} == {}
    page.close()


def test_search_box(browser, home):
    "By keyboard; what was looked for is marked in the results and on the page they lead to; the index holds what is seen."
    (page := browser.new_page()).goto(f'{home}index.html')
    if not page.locator('#search').count(): pytest.skip("Quarto's search is its own")
    page.locator('main').click(position={'x': 5, 'y': 5})
    page.keyboard.press('/')
    page.wait_for_function('engine')
    found = page.evaluate('SEARCH')
    assert not re.search(r'\\[a-z]', ' '.join(s['title'] + s['text'] for s in found if s['href'].partition('.')[0] in LESSONS))   # maths is written plainly
    assert [s['href'] for s in found if re.search(r'overflow-x:|addEventListener|data-options|id="text"', s['text'] + s['code']) and s['href'].partition('.')[0] in LESSONS] == []
    page.keyboard.type('xyzzyx')
    assert page.locator('#results').inner_text() == 'Nothing found'
    page.keyboard.press('Escape')
    assert page.locator('#results').inner_text() == '' and page.evaluate('document.activeElement.id') == 'search'
    page.keyboard.type('glorot')
    chosen = page.locator('#results [aria-selected=true]')
    assert chosen.count() == 1 and page.locator('#results mark').count() > 3 and page.locator('#search[aria-expanded=true]').count() == 1
    before = chosen.get_attribute('id')
    page.keyboard.press('ArrowDown')
    assert chosen.get_attribute('id') != before and page.locator('#search').get_attribute('aria-activedescendant') == chosen.get_attribute('id')
    page.keyboard.press('ArrowUp')
    page.keyboard.press('Enter')
    page.wait_for_url('**/init.html?q=glorot*#glorot-the-compromise')
    assert page.evaluate('CSS.highlights.get("asked").size') > 5 and page.locator('#glorot-the-compromise').bounding_box()['y'] < 300
    page.fill('#search', 'glorot')
    page.locator('#results a').first.wait_for()
    page.locator('main').click(position={'x': 5, 'y': 5})
    assert page.locator('#results').inner_text() == ''
    page.close()


def test_search_from_a_folder(browser, home):
    "Without a server: search works, and so does a page without scripts, whose formulas are MathML."
    (page := browser.new_page()).goto((home.folder/'init.html').as_uri())
    offline_only(page)
    page.fill('#search', 'broadcasting')
    page.locator('#results a[href*="#broadcasting"]').first.click()
    page.wait_for_url('**/matmul.html*#broadcasting')
    assert page.locator('.math .katex').count() > 3
    page.close()
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((home.folder/'backprop.html').as_uri())
    formulas = page.locator('main math')
    assert formulas.count() > 50 and formulas.first.bounding_box()['width'] > 5 and page.locator('main noscript').is_visible()
    assert '$' not in re.sub(r'\$ ?(\d|pip|make)', '', page.locator('main').inner_text().partition('Setup')[0])   # no formula is left as TeX
    assert page.locator('.fastlesson > img').first.bounding_box()['height'] > 100
    assert page.locator('button:visible, input:visible, [role=search]:visible').count() == 0   # nothing that does nothing
    page.context.close()


def test_lost(wide, home):
    "An address that leads nowhere: the page for it, wherever it is shown; and what search engines and previews are told."
    page = wide('404.html')
    assert page.locator('h1').inner_text() == 'No such page'
    own = f'{CFG.doc_host}{CFG.doc_baseurl}/'
    if page.locator('.offline').count(): assert page.evaluate('document.querySelector("nav a").href').startswith(own)
    places = re.findall('<loc>(.*?)</loc>', page.request.get(f'{home}sitemap.xml').text())
    assert {f'{own}{name}.html' for name in PAGES} - {'index.html'} <= {re.sub('/$', '/index.html', place) for place in places}
    page = wide('train.html')
    def said(selector, attribute='content'): return page.locator(selector).get_attribute(attribute)
    assert said('meta[property="og:title"]') and said('meta[name=twitter\\:card]') == 'summary_large_image'
    assert said('meta[property="og:image"]') == f'{own}theme/preview.png' and page.request.get(f'{home}theme/preview.png').status == 200
    if page.locator('.offline').count(): assert said('link[rel=canonical]', 'href') == f'{own}train.html' and len(said('meta[name=description]')) > 30


LINES = """() => [...document.querySelectorAll("main > p:not(:has(.math))")].map(p => [p.innerText.length, Math.round(p.clientHeight / parseFloat(getComputedStyle(p).lineHeight)) - .5])
    .filter(([letters, lines]) => lines > 2)"""   # the last line is half full, on average

def test_reads(open_page):
    "Lines hold 60 to 75 characters where there is room; text has 17 px; borders of controls stand out 3:1; notes tell their kind; a long message wraps."
    for name in ('train', 'init'):
        page = open_page(name)
        offline_only(page)
        letters, lines = map(sum, zip(*page.evaluate(LINES)))
        if page.viewport_size['width'] > 800: assert 60 < letters / lines < 75
        assert page.evaluate('parseFloat(getComputedStyle(document.querySelector("main > p:not([class])")).fontSize)') >= 17
        assert page.locator('blockquote').count() == page.locator('blockquote[data-kind]').count()
    def light(selector, css):
        parts = [int(part) / 255 for part in re.findall(r'\d+', page.evaluate(f'getComputedStyle(document.querySelector("{selector}")).{css}'))[:3]]
        return sum(k * (c / 12.92 if c < .04 else ((c + .055) / 1.055) ** 2.4) for k, c in zip((.2126, .7152, .0722), parts)) + .05
    for control in ('#search', '#theme'):
        assert max(a := light(control, 'borderTopColor'), b := light('body', 'backgroundColor')) / min(a, b) > 3, control
    page.evaluate('document.querySelector("main").append(Object.assign(document.createElement("pre"), {className: "output long", textContent: "a word ".repeat(50)}))')
    assert page.evaluate('(e => e.scrollWidth <= e.clientWidth)(document.querySelector("main > pre.long:last-child"))')
    assert page.evaluate('[...document.querySelectorAll("pre.output:not(.long)")].filter(e => /.{100}/.test(e.textContent)).length') == 0


def test_fold_opens(wide):
    "A link to a place inside a folded part opens it."
    page = wide('train.html')
    page.evaluate('document.querySelector("main details:not(.code-fold, .fastlesson-predict *) p").id = "inside"')
    assert not page.locator('#inside').is_visible()
    page.evaluate('location.hash = "#inside"')
    page.locator('#inside').wait_for(state='visible')


def test_follows(wide):
    "The header stays in sight, and the table of contents shows where the reader is."
    page = wide('forward.html')
    offline_only(page)
    last = page.locator('main h2').last
    last.evaluate('e => e.scrollIntoView()')
    page.wait_for_function('document.querySelector("#toc [aria-current]")')
    current = page.locator('#toc [aria-current]')
    assert current.count() == 1 and current.inner_text() in last.inner_text()
    assert page.locator('#search').bounding_box()['y'] < 60 < last.bounding_box()['y'] < 900


@pytest.mark.parametrize('name', ['matmul', 'api'])
def test_tab_stops(open_page, name):
    "What is wide can be scrolled from the keyboard; what is not, is no stop."
    page = open_page(name)
    page.wait_for_timeout(200)
    wrong = page.evaluate("""[...document.querySelectorAll("main pre, main .math.display, main table, main figure")].filter(e => e.checkVisibility() && e.clientWidth
        && (e.tabIndex == 0) != (e.scrollWidth > e.clientWidth)).map(e => e.textContent.slice(0, 40))""")
    assert wrong == []


def test_print(browser, home):
    "On paper a dark page is light, and the solutions are there."
    page = browser.new_page(color_scheme='dark')
    page.goto(f'{home}forward.html', wait_until='load')
    page.emulate_media(media='print', color_scheme='dark')
    page.evaluate('dispatchEvent(new Event("beforeprint"))')
    def brightness(css): return sum(map(int, re.findall(r'\d+', page.evaluate(f'getComputedStyle(document.querySelector("main p:not([class])")).{css}'))[:3]))
    assert brightness('color') < 3*100
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == 'rgb(255, 255, 255)'
    assert page.locator('main details:not(.code-fold, [open])').count() == 0 < page.locator('main details:not(.code-fold)').count()
    page.evaluate('dispatchEvent(new Event("afterprint"))')
    assert page.locator('main details:not(.code-fold)[open]').count() == 0
    page.close()


def test_copy_without_a_clipboard(wide):
    "As over plain http: the code is selected, and the button says so."
    page = wide('data.html')
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    offline_only(page)
    button = page.locator('button.copy:visible').first
    button.click()
    assert button.inner_text() == 'Selected'
    assert page.evaluate('getSelection().toString().trim()') == button.locator('xpath=../pre').inner_text().strip() != ''


def test_without_katex(browser, home):
    "Formulas stay MathML; dark mode and search work."
    page = browser.new_page()
    page.route('**/katex.min.js', lambda route: route.abort())
    page.goto(f'{home}backprop.html')
    offline_only(page)
    assert page.locator('math:visible').count() > 50 and page.locator('.katex').count() == 0
    page.locator('#theme').click()
    assert page.locator('html').get_attribute('data-theme') == 'dark'
    page.locator('#search').fill('gradient')
    page.locator('#found', has_text=re.compile(r'^[1-9]\d* sections found')).wait_for()
    page.close()


def test_search_that_does_not_load(wide):
    page = wide('404.html')
    page.route('**/search.js', lambda route: route.abort())
    page = wide('index.html')
    offline_only(page)
    page.locator('#search').focus()
    page.locator('#found', has_text='Search could not be loaded').wait_for()
    page.locator('#search').fill('gradient')
    assert page.locator('#results').inner_text() == page.locator('#found').inner_text() == 'Search could not be loaded'


def test_dark_mode(open_page):
    page = open_page('index')
    def background(): return page.evaluate('getComputedStyle(document.body).backgroundColor')
    light = background()
    toggle = page.locator('#theme, .quarto-color-scheme-toggle >> visible=true').first
    toggle.click()
    assert (dark := background()) != light
    open_page('data')
    assert background() == dark
    page.evaluate('localStorage.clear()')


def said_by_build():
    with redirect_stdout(StringIO()) as said: site.build(with_quarto=False)
    return said.getvalue()

def test_only_what_changed(tmp_path, monkeypatch):
    "One changed sentence builds one page; a build that fails leaves the last good site alone. All that where texts are ASCII unless one says otherwise."
    for name, value in {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}.items(): monkeypatch.setenv(name, value)
    root = CFG.config_path
    for name in ('nbs', 'fastlesson'):
        if (root/name).exists(): shutil.copytree(root/name, tmp_path/name, ignore=shutil.ignore_patterns('__pycache__'))
    shutil.copy(root/'settings.ini', tmp_path)
    few, config = ['index.ipynb', NOTEBOOKS['forward'], NOTEBOOKS['api']], yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))
    config['website']['sidebar']['contents'] = few
    (tmp_path/'_quarto.yml').write_text(yaml.safe_dump(config), encoding='utf-8')
    def write(name, old, new):
        path = tmp_path/'nbs'/NOTEBOOKS[name]
        text = path.read_text(encoding='utf-8')
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding='utf-8')
    def page(): return (tmp_path/'_docs'/'forward.html').read_text(encoding='utf-8')
    with ProcessPoolExecutor(1, get_context('spawn'), os.chdir, (tmp_path,)) as elsewhere:
        def build(): return elsewhere.submit(said_by_build).result()
        assert 'UTF' not in elsewhere.submit(locale.getpreferredencoding, False).result().upper()
        assert f' {len(few)} built anew' in build()
        assert ' 0 built anew' in build()
        module = (tmp_path/'fastlesson'/'forward.py').read_text(encoding='utf-8')
        write('forward', '**You will learn**', '**You will learn today**')
        assert ' 1 built anew' in build()
        assert 'You will learn today' in page() and (tmp_path/'fastlesson'/'forward.py').read_text(encoding='utf-8') == module
        write('forward', '"#| exports', '"#| check: nothing at all')
        write('forward', '**You will learn today**', '**Lost**')
        with pytest.raises(ValueError, match='nothing at all'): build()
        assert 'You will learn today' in page()
        write('forward', '"#| check: nothing at all', '"#| exports')
        assert ' 1 built anew' in build() and 'Lost' in page()
        (theme := tmp_path/'nbs'/'theme'/'template.html').write_text(theme.read_text(encoding='utf-8').replace('Neighbouring', 'Other'), encoding='utf-8')
        assert f' {len(few)} built anew' in build() and 'aria-label="Other pages"' in page()


@pytest.mark.parametrize('text', ['```', '~~~~', 'a ````` b', '</div>\n```\n# no heading'])
def test_fences_in_outputs(text):
    "What a cell prints or draws ends no fence, whatever it holds."
    links = processors.links(SimpleNamespace(cells=[]))
    links.begin()
    links.cell(AttrDict(cell_type='code', outputs=[{'data': (data := {'text/html': f'<p>{text}</p>'})}]))
    assert pypandoc.convert_text(data['text/markdown'], 'html', 'markdown').strip() == f'<p>{text}</p>'
    for plain in (False, True):
        made = pypandoc.convert_text(site._output(AttrDict(text=text), {}, Path(), plain), 'html', 'markdown').strip()
        assert unescape(re.fullmatch(r'<pre[^>]*><code>(.*)</code></pre>', made, re.S)[1]) == text


def test_title_without_html(monkeypatch):
    "A title stands in the head of its page and in the list of all pages: HTML in it would run there."
    nb = SimpleNamespace(cells=[mk_cell('# <script>alert()</script>\n\n> What it is.', 'markdown')])
    monkeypatch.setattr(site, 'read_nb', lambda path: nb)
    with pytest.raises(ValueError, match='index.ipynb: its title holds HTML'): site.read_pages()


@pytest.mark.parametrize('module', ['site', 'book'])
def test_missing_package(module):
    "Who has not what the site is built with learns its name."
    code = f"import sys; sys.modules['pypandoc'] = None\nimport fastlesson.{module}"
    error = subprocess.run([sys.executable, '-c', code], cwd=CFG.config_path, capture_output=True, text=True).stderr
    assert 'fastlesson.site builds the site and needs pypandoc' in error
