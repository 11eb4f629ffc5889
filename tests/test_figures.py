"What all figures to touch have in common, in a real browser: they hold still, fit, speak, and leave a picture where no script runs."
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fastlesson.figures import GREY, backward_pass
from figure_page import ALL, html, luminance, opened, said, state

WIDTHS = pytest.mark.parametrize('show', [1280, 390], indirect=True)
OPERATE = """f => {
  const heights = new Set([f.getBoundingClientRect().height]), see = () => heights.add(f.getBoundingClientRect().height)
  const fire = (e, value, kind) => { e.value = value; e.dispatchEvent(new Event(kind, {bubbles: true})); see() }
  const all = s => [...f.querySelectorAll(s)].filter(e => e.checkVisibility())
  for (const e of all("select")) { const was = e.value; for (const o of e.options) fire(e, o.value, "change"); fire(e, was, "change") }
  for (const e of all("input[type=range]")) { const was = e.value; for (const v of [e.min, e.max, was]) fire(e, v, "input") }
  for (const e of all("button[aria-pressed]")) { e.click(); see(); e.click(); see() }
  return [...heights].map(Math.round)
}"""

def cut(root):
    "The parts that have to be scrolled sideways."
    return root.locator('.wide').evaluate_all('all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)')


@pytest.mark.parametrize('figure', ALL)
def test_same_twice(show, figure):
    "Two of a kind on one page know nothing of each other."
    shown = show(figure(), figure())
    assert shown.count() == 2 and state(shown.nth(0)) == state(shown.nth(1))
    before = state(shown.nth(1))
    shown.nth(0).evaluate(OPERATE)
    assert state(shown.nth(1)) == before


@pytest.mark.parametrize('figure', ALL)
def test_narrow(show, figure):
    "On a small phone all of it is in sight, whatever is chosen, and no figure is higher than the screen."
    root = show(figure())
    root.page.set_viewport_size({'width': 360, 'height': 800})
    root.evaluate(OPERATE)
    assert cut(root) == [] and root.page.evaluate('document.documentElement.scrollWidth') <= 360 and root.bounding_box()['height'] <= 800


@WIDTHS
@pytest.mark.parametrize('figure', ALL)
def test_nothing_jumps(show, figure):
    "Whatever is chosen, slid or pressed: the figure keeps its height, so that nothing moves under the pointer."
    root = show(figure())
    heights = root.evaluate(OPERATE)
    assert len(set(heights)) == 1 and (heights[0] <= 760 or root.page.viewport_size['width'] > 390)
    assert cut(root) == []


@WIDTHS
@pytest.mark.parametrize('figure', ALL)
def test_labels(show, figure):
    figure = show(figure())
    def without(elements, label): return figure.evaluate(f"f => [...f.querySelectorAll('{elements}')].filter(e => !({label})).length")
    assert without('button, input, select', 'e.labels?.length || e.ariaLabel || e.textContent') == 0
    assert without('svg, canvas', 'e.role == "img" && e.ariaLabel') == 0
    assert figure.locator('[aria-live=polite]').count() == 1 and said(figure) and figure.get_attribute('aria-label')
    assert figure.evaluate('f => f.querySelectorAll("[id]").length') == 0   # nothing that could clash
    assert without('*', 'getComputedStyle(e).transitionDuration == "0s"') == 0   # nothing moves by itself
    assert figure.evaluate('() => document.getAnimations().length') == 0
    assert without('input:not([type=range]), select', 'parseFloat(getComputedStyle(e).fontSize) >= 16') == 0   # a phone would zoom in


@pytest.mark.parametrize('figure', ALL)
def test_forced_colours(show, figure):
    "With the system's own colours, what is read, written, pressed or lit still looks different, and sliders can be seen."
    root = show(figure())
    root.page.emulate_media(forced_colors='active')
    def look(selector): return re.findall(r'[\d.]+', root.locator(selector).first.evaluate('e => getComputedStyle(e).backgroundColor'))[:3]   # what shines through is the same
    if root.get_attribute('data-kind') == 'matmul_stepper': assert look('input.read') == look('.line.lit') != look('input:not(.read)') and look('.line.lit') == look('.matrix .write') != look('.line:not(.lit)')
    if root.get_attribute('data-kind') == 'init_explorer': assert look('button[aria-pressed=true]') != look('button[aria-pressed=false]')
    assert root.locator('input[type=range]').evaluate_all('all => all.every(e => getComputedStyle(e).appearance == "auto")')


@pytest.mark.parametrize('ink, paper', [('#24292f', '#ffffff'), ('#dde3e9', '#16191d'), ('#000000', '#ffffff'), ('#ffffff', '#111111')])
def test_contrast(show, ink, paper):
    figure = show(backward_pass(), ink=ink, paper=paper)
    figure.get_by_role('slider', name='Step').press('End')
    behind = luminance(*(int(paper[i:i + 2], 16) / 255 for i in (1, 3, 5)))
    def contrast(selector, what):
        css = figure.locator(selector).first.evaluate(f'e => getComputedStyle(e).{what}')
        *colour, alpha = (*map(float, re.findall(r'[\d.]+', css.removeprefix('color(srgb'))), 1)[:4]
        above = luminance(*(alpha * c + (1 - alpha) * int(paper[i:i + 2], 16) / 255 for c, i in zip(colour, (1, 3, 5))))
        return (max(above, behind) + .05) / (min(above, behind) + .05)
    for name in ('blue', 'orange'):
        assert contrast(f'td .{name}, td.{name}', 'color') >= 4.5 and contrast(f'text.{name}', 'fill') >= 4.5
    assert contrast('button', 'borderTopColor') >= 3 and contrast('input[type=number]', 'borderTopColor') >= 3


STORED = files('fastlesson')/'figures'

def snapshot(page, figure):
    "The figure as a picture of its own, in a grey that is legible on white and on black."
    page.set_content(html(figure, ink=GREY))
    opened(page)
    page.wait_for_timeout(300)   # until drawings have the width of their place
    return page.locator('.fastlesson').evaluate((Path(__file__).parent/'snapshot.js').read_text(encoding='utf-8'))


@pytest.mark.parametrize('figure', ALL)
def test_snapshot(browser, figure, request):
    "The picture for where no script runs is what the figure draws; `--store` takes it again."
    figure, page = figure(), browser.new_page(viewport={'width': 1280, 'height': 900})
    svg, path = snapshot(page, figure), STORED/f'{figure.kind}.svg'
    page.close()
    if request.config.getoption('--store'): path.write_text(svg, encoding='utf-8')
    now, stored = (list(ElementTree.fromstring(text).iter()) for text in (svg, path.read_text(encoding='utf-8')))
    def looks(e): return e.tag, (e.text or '').strip(), e.get('fill'), e.get('stroke')
    assert list(map(looks, now)) == list(map(looks, stored)), f'{path.name} is out of date: pytest tests/test_figures.py -k snapshot --store'


def test_without_scripts(browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.set_content(html(*(f() for f in ALL)))
    images = page.locator('.fastlesson > img')
    assert images.count() == len(ALL)
    for i in range(len(ALL)): assert images.nth(i).bounding_box()['height'] > 100 and images.nth(i).get_attribute('alt')
    page.context.close()


@pytest.mark.parametrize('missing', ['matplotlib', 'IPython'])
def test_missing_extra(missing):
    "Without what the notebooks need, the import says what to install."
    code = f"""import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == {missing!r}: raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Gone())
import fastlesson.figures"""
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert f"ImportError: fastlesson.figures needs {missing}" in run.stderr and "pip install 'fastlesson[notebooks]'" in run.stderr


@pytest.mark.parametrize('path', sorted(p.name for p in STORED.iterdir() if p.name.endswith('.js')))
def test_script_is_short(path): assert len((STORED/path).read_text(encoding='utf-8').splitlines()) <= 200
