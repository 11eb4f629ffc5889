"The built site in a real browser, wide and narrow: nothing missing, nothing foreign, nothing broken."
import functools
import gzip
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urldefrag, urljoin

import pytest
from execnb.nbio import read_nb
from nbdev.config import get_config
from axe_playwright_python.sync_playwright import Axe

from fastlesson import site

CFG = get_config()
PAGES = ['index'] + [p.stem.partition('_')[2] for p in sorted(CFG.nbs_path.glob('[0-9]*.ipynb'))]


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


@pytest.fixture(scope='module', params=['offline', 'quarto'])
def home(request, tmp_path_factory):
    "The address of a freshly built site."
    out = tmp_path_factory.mktemp('site')/'site'
    if request.param == 'quarto' and not shutil.which('quarto'): pytest.skip('Quarto is not installed')
    proc = site.prepare()
    pages = site.read_pages(proc)
    if request.param == 'offline': site.offline(pages, out)
    else: site.quarto(proc, out)
    site.extras(pages, out)
    server = ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=out))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/'
    server.shutdown()


@pytest.fixture(params=[1280, 390])
def open_page(request, browser, home):
    "Open a page of the site; afterwards, that nothing went wrong while it was open."
    page, faults = browser.new_page(viewport={'width': request.param, 'height': 900}), []
    page.on('console', lambda m: faults.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('pageerror', lambda e: faults.append(str(e)))
    page.on('requestfailed', lambda r: faults.append(f'failed: {r.url}'))
    page.on('response', lambda r: faults.append(f'{r.status}: {r.url}') if r.status >= 400 else None)
    page.on('request', lambda r: None if r.url.startswith((home, 'data:')) else faults.append(f'foreign: {r.url}'))
    page.set_default_timeout(5000)
    def open_(name):
        page.goto(f'{home}{name}.html', wait_until='load')
        return page
    yield open_
    assert faults == []
    page.close()


def headings(name):
    "How many sections the prepared notebook of a page has."
    path = next((CFG.config_path/'_proc').glob(f'*{name}.ipynb'))
    prose = '\n'.join(c.source for c in read_nb(path).cells if c.cell_type == 'markdown')
    return len(re.findall('^## ', re.sub('^```.*?^```', '', prose, flags=re.M | re.S), re.M))


@pytest.mark.parametrize('name', PAGES)
def test_page(open_page, name):
    page = open_page(name)
    assert page.locator('h1').count() == 1 and page.locator('h1').inner_text()
    assert page.evaluate('document.documentElement.scrollWidth - innerWidth') <= 0, 'wider than the window'
    assert page.locator('.math').count() == page.locator('.math > .katex, .math > .katex-display > .katex').count()
    assert page.locator('.katex-error').count() == 0
    assert page.evaluate('[...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt).map(i => i.src)') == []
    assert page.locator('main h2').count() == headings(name), 'a fence is not closed, or closed too early'
    assert not page.evaluate('[...document.querySelectorAll(".offline [id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i)')
    text = page.locator('main').inner_text()
    assert [litter for litter in ('\\tag', '$$', ':::', '#| ', 'fig-cap', 'show_doc') if litter in text and name != 'site'] == []


def test_links(browser, home):
    page, links, anchors = browser.new_page(), [], {}
    for name in PAGES:
        url = f'{home}{name}.html'
        page.goto(url)
        links += [(name, urljoin(url, a)) for a in page.eval_on_selector_all('a[href]', 'as => as.map(a => a.getAttribute("href"))')]
        anchors[url] = set(page.eval_on_selector_all('[id]', 'es => es.map(e => e.id)'))
    own = f'{CFG.doc_host}{CFG.doc_baseurl}/'
    for name, link in links:
        assert 'LNone' not in link, f'{name}: {link} has no line'
        assert not link.startswith(own), f'{name}: {link} should be relative'
        url, anchor = urldefrag(link)
        if not link.startswith(home) or anchor.startswith('/'): continue
        url = url.removesuffix('/') + ('/index.html' if url == home else '')
        if url not in anchors: assert page.request.get(link).status == 200, f'{name}: no page {link}'
        elif anchor: assert anchor in anchors[url], f'{name}: no place {link}'
    assert any(urldefrag(link)[1] for _, link in links)
    page.close()


def test_accessible(open_page):
    for name in PAGES:
        violations = [v for v in Axe().run(open_page(name)).response['violations'] if v['impact'] in ('serious', 'critical')]
        assert [(name, v['id'], [n['target'] for n in v['nodes']][:3]) for v in violations] == []


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
    assert 'Kaiming' in page.locator('main').inner_text()


def test_search_words(browser, home):
    (page := browser.new_page()).goto(f'{home}index.html')
    if not page.locator('#search').count(): pytest.skip("Quarto's search is its own")
    page.fill('#search', "source='auto'")
    page.locator('#results a[href*="data.html"]').first.wait_for()
    assert not re.search(r'\\[a-z]', ' '.join(page.evaluate('SEARCH.map(s => s.title)')))   # maths is written plainly
    page.fill('#search', 'xyzzy')
    assert page.locator('#results').inner_text() == 'Nothing found'
    page.close()


def test_light(browser, home):
    "A page is drawn soon, weighs little, and does not jump while it loads."
    page = browser.new_page(viewport={'width': 1280, 'height': 900})
    loaded, weights = [], {}   # in bytes, packed as web servers send them
    page.on('response', lambda response: loaded.append(response))
    page.add_init_script("""jump = 0; new PerformanceObserver(list => list.getEntries().forEach(e => jump += e.value))
                            .observe({type: 'layout-shift', buffered: true})""")
    for name in PAGES:
        loaded.clear()
        page.goto(f'{home}{name}.html', wait_until='load')
        urls = {r.url for r in loaded if '_files/' not in r.url}
        for url in urls - weights.keys(): weights[url] = len(gzip.compress(page.request.get(url).body()))
        weight = sum(weights[url] for url in urls)
        assert weight < 1_000_000, f'{name} weighs {weight:,} bytes without its pictures'
        assert page.evaluate('jump') < .1, f'{name} jumps'   # what the Web Vitals call good
    page.close()


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
