"The figures to touch, operated by mouse and by keyboard in a real browser; their numbers against torch's."
import json
import math
import re
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from fastlesson.depth import ACTIVATIONS, gain, layer_stats
from fastlesson.figures import GREY, backward_pass, init_explorer, matmul_stepper, training_view
from fastlesson.forward import Params, forward, mse
from fastlesson.matmul import error_bound

A, B = torch.tensor([[1., 2., 3.], [4., 5., 6.]]), torch.tensor([[7., 10.], [8., 11.], [9., 12.]])
# Both sides compute in float64 and add in another order. Sums here are of at most some hundred terms, a few layers deep:
# about 1e-13 of the terms' size, and cancellation may cost a few digits more.
CLOSE = dict(rtol=1e-9, atol=1e-12)


def html(*figures, ink='#24292f', paper='#fff'):
    body = '\n'.join(f._repr_html_() for f in figures)
    return ('<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>Figures</title><body style="margin: 1rem; font-family: system-ui; color: {ink}; background: {paper}">{body}</body></html>')


@pytest.fixture(params=[1280, 390])
def show(request, browser):
    "Show figures on a page; afterwards, that nothing was fetched, nothing complained, and nothing is wider than the window."
    page, faults = browser.new_page(viewport={'width': request.param, 'height': 900}), []
    page.on('console', lambda m: faults.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('pageerror', lambda e: faults.append(str(e)))
    page.on('request', lambda r: None if r.url.startswith(('data:', 'about:')) else faults.append(f'foreign: {r.url}'))
    page.set_default_timeout(5000)
    def show_(*figures, **colours):
        page.set_content(html(*figures, **colours))
        return page.locator('.fastlesson')
    yield show_
    assert faults == []
    assert page.evaluate('document.documentElement.scrollWidth - innerWidth') <= 0, 'wider than the window'
    page.close()


def state(figure):
    "All that a figure knows, as Python objects."
    return json.loads(figure.evaluate('f => JSON.stringify(f.fastlesson.state, (_, v) => ArrayBuffer.isView(v) ? [...v] : v)'))

def click(figure, name): figure.get_by_role('button', name=name, exact=True).click()
def press(figure, name, key='Enter'): figure.get_by_role('button', name=name, exact=True).press(key)
def said(figure): return figure.locator('.say').inner_text()
def t64(rows): return torch.tensor(rows, dtype=torch.float64)

def shown(x, digits=4):
    "A number as the figures write it (those that are not very large or small)."
    return f'{x:.{digits}g}'.replace('-', '−')


def partial(version, steps, a, b):
    "What a version has of the product after some steps; entries that it hasn't written are 0."
    c = a.new_zeros(len(a), b.shape[1])
    todo = {'loops': [(i, j, slice(p, p + 1)) for i in range(len(a)) for j in range(b.shape[1]) for p in range(len(b))],
            'dot': [(i, j, slice(None)) for i in range(len(a)) for j in range(b.shape[1])],
            'broadcast': [(i, slice(None), slice(None)) for i in range(len(a))],
            'einsum': [(slice(None), slice(None), slice(p, p + 1)) for p in range(len(b))]}[version]
    for i, j, p in todo[:steps]: c[i, j] += a[i, p] @ b[p, j]
    return c, len(todo)


@pytest.mark.parametrize('version', ['loops', 'dot', 'broadcast', 'einsum'])
def test_matmul_steps(show, version):
    figure = show(matmul_stepper(A, B))
    figure.get_by_role('combobox', name='Version').select_option(version)
    a, b = A.double(), B.double()
    n_steps = state(figure)['count']
    for step in range(n_steps + 1):
        s = state(figure)
        c, expected = partial(version, step, a, b)
        assert n_steps == expected and s['step'] == step and s['multiplyAdds'] == 12 * step // n_steps
        assert_close(t64(s['c']), c, rtol=0, atol=error_bound(a, b).max().item())
        n, k, m = (len(s['box'][name]) for name in 'IPJ') if step else (0, 0, 0)
        assert figure.locator('.read:not(.small *)').count() == n*k + k*m and figure.locator('.write').count() == n*m
        click(figure, 'Step')
    assert_close(t64(state(figure)['c']), a @ b)   # a step more than there are changes nothing
    click(figure, 'Back')
    assert_close(t64(state(figure)['c']), partial(version, n_steps - 1, a, b)[0])
    click(figure, 'Reset')
    assert state(figure)['step'] == 0


def test_matmul_strides(show):
    figure = show(matmul_stepper(A, B))
    figure.get_by_role('combobox', name='Version').select_option('broadcast')
    press(figure, 'Step')
    views = [A[0, :, None], A[0, :, None].expand(3, 2), B, A[0, :, None] * B]
    touched = [len({v.as_strided((), (), sum(s * i for s, i in zip(v.stride(), index)) + v.storage_offset()).data_ptr()
                    for index in torch.cartesian_prod(*map(torch.arange, v.shape)).tolist()}) * v.element_size() for v in views]
    rows = figure.locator('tbody tr')
    for i, (view, n_bytes) in enumerate(zip(views, touched)):
        cells = [str(tuple(view.shape)), str(view.stride()), str(n_bytes), str(view.numel() * view.element_size())]
        assert rows.nth(i).locator('td').all_inner_texts() == cells


def test_matmul_edit_and_keyboard(show):
    figure = show(matmul_stepper(A, B))
    version = figure.get_by_role('combobox', name='Version')
    version.focus()
    version.press('ArrowDown')
    assert state(figure)['version'] == 'dot'
    press(figure, 'Step', 'Space')
    slider = figure.get_by_role('slider', name='Step')
    slider.press('ArrowRight')
    assert state(figure)['step'] == 2 and slider.get_attribute('aria-valuetext') == '2 of 4'
    cell = figure.get_by_label('a[0, 1]', exact=True)
    cell.press('Control+a')
    cell.press_sequentially('-2.5')
    a = A.clone()
    a[0, 1] = -2.5
    assert_close(t64(state(figure)['c'])[0], (a @ B).double()[0])
    assert f'= {shown((a @ B)[0, 1].item())}.' in said(figure)
    cell.fill('')   # not a number: the last one stays
    assert state(figure)['a'][0][1] == -2.5
    slider.press('Home')
    press(figure, 'Play')
    figure.page.wait_for_function('f => f.fastlesson.state.step == 4', arg=figure.element_handle(), timeout=10_000)
    figure.get_by_role('button', name='Play', exact=True).wait_for()   # it has stopped by itself


@pytest.mark.parametrize('activation', ['relu', 'tanh', 'leaky_relu', 'linear'])
@pytest.mark.parametrize('start', ['He', 'PyTorch √5'])
def test_init(show, activation, start):
    figure = show(init_explorer(depth=7, width=16))
    figure.get_by_role('combobox', name='Activation').select_option(activation)
    click(figure, start)
    s = state(figure)
    g, x, top = s['gain'], t64(s['x']).reshape(-1, 16), t64(s['top']).reshape(-1, 16)
    assert math.isclose(g, 2**.5 if start == 'He' else 3**-.5)
    weights = [t64(w).reshape(16, 16) * g / 16**.5 for w in s['weights']]
    if start != 'He': assert max(w.abs().max() for w in weights) <= 16**-.5   # uniform between ±1/√n
    stats = layer_stats(x, weights, activation)
    assert_close(t64([v['mean'] for v in s['signal']]), stats.mean, **CLOSE)
    assert_close(t64([v['std'] for v in s['signal']]), stats.std, **CLOSE)
    outputs, h = [], x.requires_grad_()
    for w in weights: outputs.append(h := ACTIVATIONS[activation](h @ w))
    grads = torch.autograd.grad(h, outputs, top)
    assert_close(t64([v['std'] for v in s['gradient']]), torch.stack([v.std(correction=0) for v in grads]), **CLOSE)
    assert_close(t64([v['rms'] for v in s['gradient']]), torch.stack([v.pow(2).mean().sqrt() for v in grads]), **CLOSE)


@pytest.mark.parametrize('activation', ['relu', 'tanh', 'leaky_relu', 'linear'])
def test_init_theory(show, activation):
    figure = show(init_explorer(depth=7, width=16, activation=activation, gain=1.5))
    s = state(figure)
    f, rms, expected = ACTIVATIONS[activation], t64(s['x']).pow(2).mean().sqrt().item(), []
    z = ((torch.arange(24_000, dtype=torch.float64) + .5) * .001 - 12).requires_grad_()
    density, factors = (torch.exp(-z**2 / 2) * (.001 / math.sqrt(2 * math.pi))).detach(), []
    for _ in range(7):
        size = 1.5 * rms
        factors.append((1.5**2 * torch.autograd.grad(f(size * z).sum() / size, z)[0].pow(2) * density).sum().item())
        expected.append(rms := 1 / gain(lambda z: f(size * z)))
    assert_close(t64(s['forwards']), t64(expected), rtol=1e-5, atol=0)   # two grids for one integral
    for below, above, factor in zip(s['backwards'], s['backwards'][1:], factors[1:]):
        assert math.isclose(below, above * factor**.5, rel_tol=1e-5)
    if activation == 'relu': assert math.isclose(s['forwards'][6] / s['forwards'][0], 1.125**3, rel_tol=1e-6)


def test_init_controls(show):
    figure = show(init_explorer())
    assert state(figure)['depth'] == 50 and figure.locator('svg').count() == 4
    before = said(figure)
    gains = figure.get_by_role('slider', name='Gain')
    gains.press('ArrowRight')
    s = state(figure)
    assert math.isclose(s['gain'], 1.01) and said(figure) != before
    click(figure, 'He')
    assert figure.get_by_role('button', name='He').get_attribute('aria-pressed') == 'true'
    assert gains.get_attribute('aria-valuetext') == '1.41'
    figure.get_by_role('slider', name='Second histogram').press('ArrowLeft')
    assert state(figure)['chosen'] == [1, 24, 50]
    values = state(figure)['outputs'][23]
    zeros = round(100 * sum(v == 0 for v in values) / len(values))
    assert figure.locator('.layer .hint').nth(1).inner_text().endswith(f'{zeros}\u00a0% zeros')
    figure.get_by_role('slider', name='Layers').press('Home')
    figure.get_by_role('slider', name='Units').press('End')
    s = state(figure)
    assert (s['depth'], s['width'], len(s['signal']), s['chosen']) == (2, 128, 2, [1, 1, 2])
    press(figure, 'Draw again')
    assert state(figure)['x'] != s['x']


def test_init_drawn_to_measure(show):
    figure = show(init_explorer(depth=2, width=8))
    for place in [figure.locator('.layer > div').nth(i) for i in range(3)] + [figure.locator('svg').first.locator('..')]:
        place.evaluate("e => e.style.width = '120px'")
        place.locator('svg[width="120"]').wait_for()


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
        row = numbers.get_by_role('row').filter(has=figure.page.get_by_text(name, exact=True))
        assert row.locator('.orange').inner_text() == shown(grads[name], 6)
        assert math.isclose(float(row.locator('td').last.inner_text().replace('−', '-')), grads[name], rel_tol=1e-5)
    for name in ('x[0]', 'x[1]', 'output', 'loss'): assert f'{name} ' in figure.get_by_role('img').get_attribute('aria-label')
    click(figure, 'Back')
    row = numbers.get_by_role('row').filter(has=figure.page.get_by_text('w1[0, 1]', exact=True))
    assert row.locator('.orange').inner_text() == '·'   # not known yet


def test_backprop_change(show):
    figure = show(backward_pass(x=(.5, -1.), target=-.25))
    weight = figure.get_by_label('w1[1, 0]', exact=True)
    for text in ('1.5', '-.75', '0'):
        weight.press('Control+a')
        weight.press_sequentially(text)
        s = check_backprop(figure)
        assert s['values']['w1[1, 0]'] == float(text)
    before = s['all']['loss']
    press(figure, 'Move downhill')
    assert check_backprop(figure)['all']['loss'] < before and 'the loss went from' in said(figure)
    figure.get_by_label('w2[1]', exact=True).fill('1')
    for name in ('w1[0, 1]', 'w1[1, 1]', 'b1[1]'): figure.get_by_label(name, exact=True).fill('0')   # exactly on the kink of unit 1
    figure.get_by_label('target', exact=True).fill('-3')
    assert check_backprop(figure)['kinks']['b1[1]'] and figure.get_by_text('a kink is near').count() == 3
    slider = figure.get_by_role('slider', name='Step')
    slider.press('End')
    assert state(figure)['step'] == 12 and state(figure)['gradients']['b1[1]'] == 0   # the slope at 0 is 0


def test_backprop_first_values(show):
    figure = show(backward_pass())
    first = state(figure)['values']
    press(figure, 'Move downhill')
    for name in NAMES:   # written short, kept in full
        text, value = figure.get_by_label(name, exact=True).input_value(), state(figure)['values'][name]
        assert len(text.lstrip('-').lstrip('0.')) <= 5 and math.isclose(float(text), value, rel_tol=1e-3)
    figure.get_by_label('x[1]', exact=True).fill('7')
    press(figure, 'First values')
    assert state(figure)['values'] == first and figure.get_by_label('x[1]', exact=True).input_value() == '2'


def test_backprop_as_the_lesson_says(show):
    figure = show(backward_pass())
    for _ in range(2): click(figure, 'Step')
    assert said(figure) == 'Forwards: l1[1] = 1 × (−0.3) + 2 × 0.4 + (−0.2) = 0.3.'
    off = 'w1[0, 1]', 'w1[1, 1]', 'b1[1]', 'w2[1]'
    figure.get_by_label('b1[1]', exact=True).fill('-1')
    gradients = check_backprop(figure)['gradients']
    assert all((gradients[name] == 0) == (name in off) for name in NAMES)
    assert figure.get_by_text('a kink is near').count() == 0
    figure.get_by_label('b1[1]', exact=True).fill('-0.5')
    assert abs(check_backprop(figure)['all']['l1[1]']) < 1e-15 and figure.get_by_text('a kink is near').count() == 3


def torch_training(s, steps):
    "The same steps by torch, from the state of the figure before them."
    params = [t64(p[k]).reshape(*((p['n'], p['m']) if k == 'w' else (p['m'],))).requires_grad_() for p in s['params'] for k in 'wb']
    x, y, losses = t64(s['data']['x']), torch.tensor(s['data']['y']), []
    for step in range(steps + 1):
        h = x
        for w, b in zip(params[::2], params[1::2]): h = (h @ w + b) if w is params[-2] else F.relu(h @ w + b)
        losses.append((loss := F.cross_entropy(h, y)).item())
        if step == steps: return params, losses, (h.argmax(1) == y).double().mean().item()
        grads = torch.autograd.grad(loss, params)
        params = [(p - s['rate'] * g).detach().requires_grad_() for p, g in zip(params, grads)]


@pytest.mark.parametrize('problem, start', [('moons', 'He'), ('circles', 'default'), ('spiral', 'Glorot'), ('moons', 'large')])
def test_train(show, problem, start):
    figure = show(training_view())
    figure.get_by_role('combobox', name='Problem').select_option(problem)
    figure.get_by_role('combobox', name='Initialisation').select_option(start)
    figure.get_by_role('combobox', name='Learning rate').select_option('0.1')
    begin = state(figure)
    for _ in range(5): click(figure, 'Step')
    press(figure, 'Step')
    end = state(figure)
    params, losses, accuracy = torch_training(begin, 6)
    assert_close(t64(end['losses']), t64(losses), **CLOSE)
    assert_close(t64([v for p in end['params'] for k in 'wb' for v in p[k]]), torch.cat([p.detach().flatten() for p in params]), **CLOSE)
    assert math.isclose(end['accuracy'], accuracy) and f'{100 * accuracy:.1f} %' in said(figure)
    click(figure, 'Reset')
    assert state(figure)['params'] == begin['params'] and state(figure)['step'] == 0


@pytest.mark.parametrize('motion', ['no-preference', 'reduce'])
def test_train_runs_when_asked(show, motion):
    figure = show(training_view())
    figure.page.emulate_media(reduced_motion=motion)
    figure.page.wait_for_timeout(200)
    assert state(figure)['step'] == 0
    press(figure, 'Run')
    figure.page.wait_for_function('f => f.fastlesson.state.step > 100', arg=figure.element_handle(), timeout=20_000)
    press(figure, 'Pause')
    s = state(figure)
    figure.page.wait_for_timeout(200)
    assert state(figure)['step'] == s['step'] and not s['running'] and s['losses'][-1] < s['losses'][0] / 2
    colours = figure.locator('canvas').evaluate(
        "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size")
    assert colours > 50
    figure.get_by_role('combobox', name='Initialisation').select_option('zero')
    for _ in range(3): click(figure, 'Step')
    assert all(math.isclose(v, math.log(2)) for v in state(figure)['losses'])   # classes of one size, and no way to move


def test_train_controls(show):
    figure = show(training_view(rate=1))
    rates = figure.get_by_role('combobox', name='Learning rate')
    assert rates.locator('option').all_inner_texts() == ['0.01', '0.03', '0.1', '0.3', '1', '3']
    assert state(figure)['rate'] == 1 and rates.locator('option:checked').inner_text() == '1'
    rates.select_option('3')
    assert state(figure)['rate'] == 3
    def ticks():   # of the losses, from the bottom up
        return figure.locator('svg text[text-anchor=end]:not(.green)').evaluate_all(
            'all => all.sort((a, b) => b.getAttribute("y") - a.getAttribute("y")).map(e => e.textContent)')
    assert ticks() == ['0.001', '0.01', '0.1', '1', '10'] and figure.locator('svg').get_by_text('loss', exact=True).count() == 1
    figure.get_by_role('combobox', name='Initialisation').select_option('large')
    assert 10 < state(figure)['losses'][0] < 100 and ticks()[-1] == '100'
    for _ in range(5): click(figure, 'Step')
    losses = state(figure)['losses']   # of far too long steps, and yet none is cut off: a larger loss is drawn further up
    path = figure.locator('svg path').last.get_attribute('d')
    heights = [float(point.split(',')[1]) for point in path[1:].split('L')]
    order = sorted(range(6), key=losses.__getitem__)
    assert max(losses) > 1e6 and all(heights[a] > heights[b] for a, b in zip(order, order[1:]) if losses[b] > 1.1 * losses[a])
    assert 5 < len(ticks()) <= 11 and ticks()[-1].startswith('10') and min(heights) >= 8


def run_of(figure, steps, problem='moons', start='He', rate='0.3'):
    "Losses after each step, and the share of the points on the right side at the end, without drawing each step."
    for name, value in (('Problem', problem), ('Initialisation', start), ('Learning rate', rate)):
        figure.get_by_role('combobox', name=name).select_option(value)
    click(figure, 'Reset')
    figure.evaluate('(f, n) => f.fastlesson.step(n)', steps)
    s = state(figure)
    assert s['step'] == steps
    return s['losses'], s['accuracy']


def test_train_as_the_lesson_says(show):
    if (figure := show(training_view())).page.viewport_size['width'] < 1000: pytest.skip('the numbers do not depend on the width')
    guess = math.log(2)
    assert run_of(figure, 300)[1] == 1   # the moons are apart
    assert run_of(figure, 100)[1] < 1
    losses, accuracy = run_of(figure, 1000, start='small')
    assert all(math.isclose(v, guess, rel_tol=.01) for v in losses[:400]) and losses[500] < guess / 2 and .9 < accuracy < .94
    assert math.isclose(run_of(figure, 3000, start='small')[1], accuracy, abs_tol=.01)   # stuck
    losses, _ = run_of(figure, 500, start='zero')
    assert all(math.isclose(v, guess) for v in losses)
    losses, accuracy = run_of(figure, 1000, problem='circles', rate='3')
    assert min(losses[:50]) < guess / 2 and accuracy == .5
    assert all(math.isclose(v, guess, rel_tol=1e-3) for v in losses[60:])   # thrown off at about step 50, and no way back
    (slow, _), (fast, accuracy) = (run_of(figure, 1000, problem='spiral', rate=rate) for rate in ('0.3', '1'))
    assert slow[300] > .1 and fast[-1] < slow[-1] and fast[300] < slow[300] and accuracy == 1


ALL = [lambda: matmul_stepper(A, B), init_explorer, backward_pass, training_view]

def test_same_twice(show):
    figures = show(*(f() for f in ALL for _ in range(2)))
    assert figures.count() == 8
    click(figures.nth(0), 'Step')
    click(figures.nth(4), 'Step')
    assert [state(figures.nth(i))['step'] for i in (0, 1, 4, 5)] == [1, 0, 1, 0]


def test_narrow(show):
    figures = show(*(f() for f in ALL))
    figures.page.set_viewport_size({'width': 360, 'height': 800})
    figures.nth(0).get_by_role('combobox', name='Version').select_option('broadcast')
    for i in (0, 2): figures.nth(i).get_by_role('slider', name='Step').press('End')
    figures.nth(2).evaluate('f => f.fastlesson.go(7)')
    assert figures.locator('.wide').evaluate_all('all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel)') == []
    figures.nth(0).get_by_label('a[1, 0]', exact=True).fill('-12345.678')
    assert figures.locator('.cell').evaluate_all('all => all.filter(e => e.scrollWidth > e.clientWidth).length') == 0
    assert figures.page.evaluate('document.documentElement.scrollWidth') <= 360


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


def luminance(r, g, b):
    "Relative luminance (WCAG 2.1) of a colour from 0 to 1."
    return sum(k * (v / 12.92 if v <= .03928 else ((v + .055) / 1.055)**2.4) for k, v in zip((.2126, .7152, .0722), (r, g, b)))

@pytest.mark.parametrize('ink, paper', [('#24292f', '#ffffff'), ('#dde3e9', '#16191d'), ('#000000', '#ffffff'), ('#ffffff', '#111111')])
def test_contrast(show, ink, paper):
    figure = show(backward_pass(), ink=ink, paper=paper)
    figure.get_by_role('slider', name='Step').press('End')
    behind = luminance(*(int(paper[i:i + 2], 16) / 255 for i in (1, 3, 5)))
    for name in ('blue', 'orange'):
        for element in (f'td .{name}, td.{name}', f'text.{name}'):
            colour = figure.locator(element).first.evaluate(
                "e => getComputedStyle(e)[e.tagName == 'text' ? 'fill' : 'color']")
            above = luminance(*map(float, re.findall(r'[\d.]+', colour.removeprefix('color(srgb'))[:3]))
            assert (max(above, behind) + .05) / (min(above, behind) + .05) >= 4.5, (element, colour)


STORED = files('fastlesson')/'figures'

def snapshot(page, figure):
    "The figure as a picture of its own, in a grey that is legible on white and on black."
    page.set_content(html(figure, ink=GREY))
    page.locator('.fastlesson').evaluate("f => { f.style.maxWidth = '640px'; window.dispatchEvent(new Event('resize')) }")
    page.wait_for_timeout(300)
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
    assert images.count() == 4
    for i in range(4): assert images.nth(i).bounding_box()['height'] > 100 and images.nth(i).get_attribute('alt')
    page.context.close()
