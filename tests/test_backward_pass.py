"The backward pass of lesson 5: its gradients against autograd, and what a planted mistake changes."
import math

import pytest
import torch

from fastlesson.figures import backward_pass
from fastlesson.forward import Params, forward, mse
from figure_page import check_planted, click, html, press, said, shown, state, t64


NAMES = ['w1[0, 0]', 'w1[0, 1]', 'w1[1, 0]', 'w1[1, 1]', 'b1[0]', 'b1[1]', 'w2[0]', 'w2[1]', 'b2']

def autograd(values):
    "Loss and gradients of the small model by torch, by the names that the figure uses."
    w = t64([values[n] for n in NAMES])
    x = t64([[values['x[0]'], values['x[1]']]])
    leaves = [t.requires_grad_() for t in (w[:4].reshape(2, 2), w[4:6].clone(), w[6:8].reshape(2, 1), w[8:].clone(), x)]
    loss = mse(forward(x, Params(*leaves[:4])), t64([values['target']]))
    grads = torch.cat([g.flatten() for g in torch.autograd.grad(loss, leaves)]).tolist()
    return loss.item(), dict(zip(NAMES + ['x[0]', 'x[1]'], grads))

def check_backprop(figure):
    s = state(figure)
    loss, grads = autograd(s['values'])
    assert math.isclose(s['all']['loss'], loss, rel_tol=1e-12)
    for name, g in grads.items(): assert math.isclose(s['gradients'][name], g, rel_tol=1e-9, abs_tol=1e-12)
    noise = 10 * torch.finfo(torch.float64).eps * (1 + loss) / 1e-4
    for name in NAMES: assert s['kinks'][name] or abs(s['differences'][name] - grads[name]) < noise
    return s


def test_backprop(show):
    figure = show(backward_pass())
    s = check_backprop(figure)
    assert s['step'] == 8 and said(figure).startswith('Backwards through the second layer') and s['off'] == []
    click(figure, 'Reset')
    for step in range(12):
        click(figure, 'Step')
        rows = figure.locator('.products tbody tr')
        products = s['steps'][step - 6] if step >= 6 else []
        assert rows.count() >= len(products)
        for i, p in enumerate(products):
            assert math.isclose(p['upstream'] * p['local'], p['down'], rel_tol=1e-15)
            cells = rows.nth(i).locator('td').all_inner_texts()
            assert cells[0] == shown(p['upstream'], 3) and cells[1].endswith(shown(p['local'], 3)) and cells[2] == shown(p['down'], 3)
    assert state(figure)['step'] == 12
    _, grads = autograd(s['values'])
    numbers = figure.get_by_role('region', name='The numbers')
    for name in NAMES:
        row = numbers.locator('tr', has=figure.page.get_by_text(name, exact=True))
        assert row.locator('.orange').inner_text() == shown(grads[name], 6)
        assert math.isclose(float(row.locator('td').last.inner_text().replace('−', '-')), grads[name], rel_tol=1e-5)
        edge = figure.locator(f'svg [data-name="{name}"]')   # the same numbers at the edge of that name
        assert name.startswith('b') or edge.locator('.orange').text_content() == shown(grads[name], 3)
    for name in ('x[0]', 'x[1]', 'output', 'loss'): assert f'{name} ' in figure.get_by_role('img').get_attribute('aria-label')
    click(figure, 'Back')
    row = numbers.locator('tr', has=figure.page.get_by_text('w1[0, 1]', exact=True))
    assert row.locator('.orange').inner_text() == '·'   # not known yet
    figure.page.mouse.move(0, 0)   # off the button: what the pointer leaves puts the light out
    row.locator('input').focus()
    assert figure.locator('[data-name].lit').evaluate_all('all => all.map(e => e.dataset.name)') == ['w1[0, 1]'] * 2   # the row and its edge


def test_backprop_change(show):
    figure = show(backward_pass(x=(.5, -1.), target=-.25))
    weight = figure.get_by_label('w1[1, 0]', exact=True)
    for text in ('1.5', '-.75', '0'):
        weight.press('Control+a')
        weight.press_sequentially(text)
        s = check_backprop(figure)
        assert s['values']['w1[1, 0]'] == float(text)
    before = s['all']['loss']
    press(figure, 'Move downhill')   # in the middle of the backward pass there is no gradient to follow yet
    assert said(figure).startswith('First the backward pass') and state(figure)['all']['loss'] == before and state(figure)['step'] == 12
    press(figure, 'Move downhill')
    assert check_backprop(figure)['all']['loss'] < before and 'the loss went from' in said(figure) and state(figure)['step'] == 12
    figure.get_by_label('w2[1]', exact=True).fill('1')
    for name in ('w1[0, 1]', 'w1[1, 1]', 'b1[1]'): figure.get_by_label(name, exact=True).fill('0')   # exactly on the kink of unit 1
    figure.get_by_label('target', exact=True).fill('-3')
    assert check_backprop(figure)['kinks']['b1[1]'] and figure.get_by_text('a kink is near', exact=True).count() == 3
    slider = figure.get_by_role('slider', name='Step')
    slider.press('End')
    assert state(figure)['step'] == 12 and state(figure)['gradients']['b1[1]'] == 0   # the slope at 0 is 0


def test_backprop_first_values(show):
    figure = show(backward_pass())
    first = state(figure)['values']
    for _ in range(2): press(figure, 'Move downhill')
    assert state(figure)['values'] != first
    for name in NAMES:   # written short, kept in full
        text, value = figure.get_by_label(name, exact=True).input_value(), state(figure)['values'][name]
        assert len(text.lstrip('-').lstrip('0.')) <= 5 and math.isclose(float(text), value, rel_tol=1e-3)
    figure.get_by_label('x[1]', exact=True).fill('7')
    press(figure, 'First values')
    assert state(figure)['values'] == first and figure.get_by_label('x[1]', exact=True).input_value() == '2'


def lit(figure): return figure.locator('[data-name].lit').evaluate_all('all => all.map(e => e.dataset.name)')

def test_text_and_figure(show):
    "A mark in the text lights its part of the figure, by pointer, focus and tap, and the part lights the mark."
    figure = show(backward_pass())
    page, marks = figure.page, ''.join(f'<span data-figure="{kind}" data-ref="{ref}">{ref}</span> ' for kind, ref in (
        ('backward_pass', 'w2[1]'), ('backward_pass', 'l2'), ('backward_pass', 'upstream'), ('training_view', 'w2[1]')))
    page.set_content(html(backward_pass(), backward_pass()).replace('</body>', f'<p>{marks}</p></body>'))
    first, second, mark = page.locator('.fastlesson').nth(0), page.locator('.fastlesson').nth(1), page.locator('p > [data-ref]')
    assert mark.evaluate_all('all => all.map(e => e.tabIndex)') == [0, 0, 0, -1]   # the last is of a figure that isn't here
    mark.nth(0).hover()
    assert set(lit(first)) == set(lit(second)) == {'w2[1]'} and len(lit(first)) == 3   # its edge, its row, its product
    mark.nth(3).hover()
    assert lit(first) == []
    mark.nth(1).focus()
    assert {'l2[0]', 'l2[1]'} == set(lit(first))
    page.keyboard.press('Tab')
    assert set(lit(first)) == {'upstream'} and 'lit' in mark.nth(2).get_attribute('class')
    mark.nth(2).blur()
    for _ in range(2):   # taps
        mark.nth(0).dispatch_event('pointerover'), mark.nth(0).dispatch_event('pointerout'), mark.nth(0).dispatch_event('click')
        assert set(lit(first)) == {'w2[1]'}
    first.get_by_label('w2[0]', exact=True).focus()
    assert set(lit(first)) == {'w2[0]'} and 'lit' not in mark.nth(0).get_attribute('class')
    first.get_by_label('w2[1]', exact=True).focus()
    assert 'lit' in mark.nth(0).get_attribute('class')
    first.evaluate('f => f.remove()')   # what is gone doesn't listen
    mark.nth(1).focus()
    assert {'l2[0]', 'l2[1]'} == set(lit(page.locator('.fastlesson')))


OFF = 'w1[0, 1]', 'w1[1, 1]', 'b1[1]', 'w2[1]'   # what leads into unit 1, and what comes out of it

def check_folds(figure):
    "Where it is narrow the two tables are folded, until somebody opens one; where there is room they are in sight."
    folds = figure.locator('details')
    for width, wide in ((1280, True), (390, False), (1280, True)):
        figure.page.set_viewport_size({'width': width, 'height': 844})
        figure.page.wait_for_timeout(100)
        assert folds.evaluate_all('all => all.map(e => e.open)') == [wide, wide]
        assert [e.is_visible() for e in figure.locator('summary').all()] == [not wide] * 2
        if not wide: figure.get_by_text('The numbers, to change').click()
        assert figure.get_by_role('button', name='Move downhill').is_visible()


def test_backprop_folds(show): check_folds(show(backward_pass()))


def test_backprop_as_the_lesson_says(show):
    figure = show(backward_pass())
    click(figure, 'Reset')
    for _ in range(2): click(figure, 'Step')
    assert said(figure) == 'Forwards: l1[1] = 1 × (−0.3) + 2 × 0.4 + (−0.2) = 0.3.'
    figure.get_by_label('b1[1]', exact=True).fill('-1')
    gradients = check_backprop(figure)['gradients']
    assert all((gradients[name] == 0) == (name in OFF) for name in NAMES)
    assert figure.get_by_text('a kink is near', exact=True).count() == 0
    figure.get_by_label('b1[1]', exact=True).fill('-0.5')
    assert abs(check_backprop(figure)['all']['l1[1]']) < 1e-15 and figure.get_by_text('a kink is near', exact=True).count() == 3
    for _ in range(10): click(figure, 'Step')
    assert figure.locator('.verdict').inner_text().startswith('9 of 9 gradients are known. 6 agree with the difference; 3 can’t be judged')


# For each mistake: which gradients it makes wrong, at the first values and with unit 1 switched off
MISTAKES = {'two': (NAMES, [n for n in NAMES if n not in OFF]), 'mask': ([], ['w1[0, 1]', 'w1[1, 1]', 'b1[1]']), 'early': ([], ['w2[1]']),
            'order': (NAMES[:4], ['w1[0, 0]', 'w1[1, 0]']), 'bias': (['b1[0]', 'b1[1]', 'b2'], ['b1[0]', 'b2'])}

@pytest.mark.parametrize('mistake', MISTAKES)
def test_backprop_planted_as_the_lesson_says(show, mistake):
    figure = show(backward_pass())
    figure.get_by_role('combobox', name='Plant a mistake').select_option(mistake)
    for value, wrong in zip((None, '-1'), MISTAKES[mistake]):
        if value: figure.get_by_label('b1[1]', exact=True).fill(value)
        s = state(figure)
        _, grads = autograd(s['values'])
        off = [name for name in NAMES if abs(s['gradients'][name] - grads[name]) > 1e-9]
        assert s['step'] == 12 and s['off'] == off == wrong
        assert figure.locator('.off').count() == len(wrong) and all(t.startswith('≠') for t in figure.locator('.off').all_inner_texts())
        said = f'{len(wrong)} of 9 gradients disagree' if wrong else 'nobody can see the mistake'
        figure.locator('.verdict', has_text=said).wait_for()   # its fold opens with the next frame


def test_backprop_quiz(show):
    figure = show(backward_pass())
    found = set()
    for _ in range(8):
        press(figure, 'Hide one from me')
        s, choose = state(figure), figure.get_by_role('combobox', name='Plant a mistake')
        assert s['quiz'] and s['mistake'] in MISTAKES and choose.input_value() == ''
        wrong = next(m for m in MISTAKES if m != s['mistake'])
        choose.select_option(wrong)
        assert said(figure).startswith('No') and state(figure)['quiz'] and state(figure)['mistake'] == s['mistake']
        choose.select_option(s['mistake'])
        assert said(figure).startswith('Found') and not state(figure)['quiz']
        found.add(s['mistake'])
    assert len(found) > 2
    choose.select_option('none')
    check_backprop(figure)


FAULTS = [   # in the script, and the check that must notice each
    (backward_pass, check_backprop, '2 * error]', 'error]'),
    (backward_pass, check_backprop, "by('x[1]', `w1[1, ${j}]`)", "by('x[1]', `w1[0, ${j}]`)")]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)

def test_planted_fold(show, monkeypatch): check_planted(show, monkeypatch, backward_pass, check_folds, 'element.open = wide = now', 'wide = now', 'figures.js')
