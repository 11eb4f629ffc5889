"The questions before answers: nothing is told before the reader has answered, and then the reason is the one for what was chosen."
import re
from pathlib import Path

import pytest

from fastlesson.figures import predict
from fastlesson.site import _output
from figure_page import check_planted, html

CHOICES = {'`loops`': 'They make every number one by one.', '`dot`': '', 'both': 'They take different times.'}
def choice(): return predict('Which of `loops` and `dot` is faster?', '`dot`', 'It calls PyTorch *once* for a row & column.', CHOICES)
def number(): return predict('How many weights are there, in `a * b * c`?', 39_200, 'One for each pair.', within=2, unit='weights')
def rounded(): return predict('How many?', 19, 'So many.', within=3.8)
def exact(): return predict('Where is the minimum?', -2.5, 'The slope is 0 there.')

def said(root): return root.locator('[aria-live]').inner_text().split('\n')
def answer(root, value, key='Enter'):
    root.get_by_role('spinbutton').fill(value)
    root.get_by_role('spinbutton').press(key)


def check_choices(root):
    "Every choice, by its own reason."
    assert said(root) == [''] and not re.search('PyTorch|one by one|different times', root.inner_text())
    right, why = root.get_by_role('button', name='dot'), 'dot: yes. It calls PyTorch once for a row & column.'
    assert right.get_attribute('class') is None
    for name, reason in zip(('loops', 'both'), ('They make every number one by one.', 'They take different times.')):
        root.get_by_role('button', name=name).click()
        assert list(filter(None, said(root))) == [f'{name}: no. {reason}', why]
        assert root.locator('[aria-pressed=true]').all_inner_texts() == [name]
    right.click()
    assert said(root) == [why] and root.locator('[aria-pressed=true]').all_inner_texts() == root.locator('.right').all_inner_texts() == ['dot']


def check_number(root):
    "What is said about a number, and that it's said by its ratio to the answer."
    why = '39,200 weights. One for each pair.'
    for value, verdict in [('39200', 'exactly'), ('3.92e4', 'exactly'), ('78400', 'close enough'), ('19600', 'close enough'), ('19599', 'too small, by a factor of 2'),
                           ('1000', 'too small, by a factor of 39'), ('784000', 'too large, by a factor of 20'), ('0', 'no'), ('-39200', 'no')]:
        answer(root, value)
        assert list(filter(None, said(root))) == [f'{value}: {verdict}.', why]


def check_rounded(root):
    "The least that is close enough is, although 1/(5/19) is a rounding above 3.8."
    answer(root, '5')
    assert said(root)[0] == '5: close enough.'


def test_rounded(show): check_rounded(show(rounded()))
def test_choices(show): check_choices(show(choice()))
def test_number(show): check_number(show(number()))


def test_exact(show):
    root = show(exact())
    answer(root, '-2.5')
    assert 'exactly' in said(root)[0] and '-2.5. The slope is 0 there.' in said(root)
    answer(root, '-2.4')
    assert said(root)[0] == '-2.4: no.' and 'within' not in root.inner_text()
    answer(root, '')   # nothing is no answer
    assert said(root)[0] == '-2.4: no.' and root.evaluate('r => r.ownerDocument.activeElement.tagName') == 'INPUT'


def test_by_keyboard(show):
    both = show(choice(), number())
    page = both.page
    page.keyboard.press('Tab')
    page.keyboard.press('Tab')
    page.keyboard.press('Space')
    assert said(both.nth(0))[0].startswith('dot: yes') and said(both.nth(1)) == ['']   # two on a page know nothing of each other
    page.keyboard.press('Tab')
    page.keyboard.press('Tab')
    page.keyboard.type('5')
    page.keyboard.press('Tab')
    page.keyboard.press('Enter')
    assert said(both.nth(1))[0].startswith('5: too small')
    assert both.nth(0).get_attribute('role') == 'group' and both.nth(0).get_attribute('aria-label') == 'Predict'
    assert both.nth(1).get_by_role('spinbutton').get_attribute('aria-label') == 'Your prediction, in weights'


@pytest.mark.parametrize('show', [1280, 360], indirect=True)
def test_small(show):
    "Little room before the answer; what stands above keeps its place after it."
    for question in (choice(), number()):
        root = show(question)
        row = root.locator('div')
        before = row.bounding_box()
        assert root.bounding_box()['height'] < 170
        if root.get_by_role('spinbutton').count(): answer(root, '7')
        else: root.get_by_role('button', name='both').click()
        assert row.bounding_box() == before
        assert min(e.bounding_box()['height'] for e in root.locator('button, input').all()) >= 32
        assert root.locator('input').evaluate_all('all => all.every(e => parseFloat(getComputedStyle(e).fontSize) >= 16)')
        assert root.evaluate('r => r.getAnimations({subtree: true}).length') == 0 and root.locator('[id]').count() == 0


def test_print_and_forced_colours(show):
    root = show(choice())
    root.get_by_role('button', name='both').click()
    root.page.emulate_media(media='print')
    assert not root.get_by_role('button').count() and not root.locator('[aria-live]').is_visible() and root.locator('details').first.is_visible()
    root.page.emulate_media(media='screen', forced_colors='active')
    def look(name): return root.get_by_role('button', name=name).evaluate('e => getComputedStyle(e).backgroundColor.match(/[0-9.]+/g).slice(0, 3) + getComputedStyle(e).outlineStyle')
    assert len({look(name) for name in ('loops', 'dot', 'both')}) == 3


def test_without_scripts(browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.set_content(html(choice(), number()))
    folds = page.locator('details')
    assert 'PyTorch' not in page.locator('body').inner_text() and '39,200' not in page.locator('body').inner_text()
    assert folds.locator('summary').all_inner_texts() == ['loops', 'dot', 'both', 'Answer']
    for fold, text in zip(folds.all(), ('loops: no. They make', 'dot: yes. It calls', 'both: no. They take', '39,200 weights. One')):
        fold.locator('summary').click()
        assert fold.locator('p').inner_text().startswith(text)
    assert page.locator('p code').all_inner_texts() == ['loops', 'dot', 'loops', 'dot', 'a * b * c'] and page.locator('em').all_inner_texts() == ['once']
    page.context.close()


def test_as_text():
    "In the text that stands beside a page a question is its folds, without style and script."
    shown = _output({'data': {'text/markdown': choice()._repr_html_()}}, {}, Path(), True)
    assert shown.count('<details') == 3 and not re.search('<style|<script|color', shown)


FAULTS = [   # in the script, and the check that must notice each
    (choice, check_choices, '[reason(i)], reason(right)', '[reason(right)], reason(right)'),
    (choice, check_choices, 'button == e.currentTarget', 'button == row.children[right]'),
    (choice, check_choices, "'right' in fold.dataset", "!('right' in fold.dataset)"),
    (number, check_number, 'Math.max(ratio, 1 / ratio)', 'ratio'),
    (number, check_number, 'field.valueAsNumber / answer', 'answer / field.valueAsNumber'),
    (number, check_number, 'ratio > 0 && answer > 0', 'ratio > 0 && answer < 0'),
    (number, check_number, 'ratio > 0 && off', 'off'),
    (rounded, check_rounded, 'within * (1 + 1e-9)', 'within')]

@pytest.mark.parametrize('question, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, question, check, good, bad): check_planted(show, monkeypatch, question, check, good, bad, 'predict.js')
