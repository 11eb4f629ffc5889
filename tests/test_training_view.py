"The training view of lesson 9: step for step what torch does."
import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from fastlesson.figures import training_view
from figure_page import CLOSE, check_planted, click, press, said, state, t64


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


def check_train(figure):
    click(figure, 'Reset')
    begin = state(figure)
    for _ in range(5): click(figure, 'Step')
    press(figure, 'Step')
    end = state(figure)
    params, losses, accuracy = torch_training(begin, 6)
    assert begin['step'] == 0
    assert_close(t64(end['losses']), t64(losses), **CLOSE)
    assert_close(t64([v for p in end['params'] for k in 'wb' for v in p[k]]), torch.cat([p.detach().flatten() for p in params]), **CLOSE)
    assert math.isclose(end['accuracy'], accuracy)
    return begin, accuracy


@pytest.mark.parametrize('problem, start', [('moons', 'He'), ('circles', 'default'), ('spiral', 'Glorot'), ('moons', 'large')])
def test_train(show, problem, start):
    figure = show(training_view())
    figure.get_by_role('combobox', name='Problem').select_option(problem)
    figure.get_by_role('combobox', name='Initialisation').select_option(start)
    figure.get_by_role('combobox', name='Learning rate').select_option('0.1')
    begin, accuracy = check_train(figure)
    assert f'{100 * accuracy:.1f} %' in said(figure)
    click(figure, 'Reset')
    assert state(figure)['params'] == begin['params'] and state(figure)['step'] == 0


def test_train_opens_trained(show):
    figure = show(training_view())
    s = state(figure)
    assert s['step'] == 300 and s['accuracy'] == 1 and not s['running']
    click(figure, 'Reset')
    _, losses, _ = torch_training(state(figure), 300)
    # 300 steps magnify differences of rounding, and this training has no chaos in it: seven digits of the last loss are left
    assert_close(t64(s['losses']), t64(losses), rtol=1e-7, atol=0)


@pytest.mark.parametrize('motion', ['no-preference', 'reduce'])
def test_train_runs_when_asked(show, motion):
    figure = show(training_view())
    figure.page.emulate_media(reduced_motion=motion)
    figure.page.wait_for_timeout(200)
    assert state(figure)['step'] == 300   # as it opened
    press(figure, 'Replay')
    figure.page.wait_for_function('f => f.fastlesson.state.step > 100 && f.fastlesson.state.step != 300', arg=figure.element_handle(), timeout=20_000)
    press(figure, 'Pause')
    s = state(figure)
    figure.page.wait_for_timeout(200)
    assert state(figure)['step'] == s['step'] and not s['running'] and s['losses'][-1] < s['losses'][0] / 2
    colours = figure.locator('.plane canvas').evaluate(
        "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size")
    assert colours > 50
    figure.get_by_role('combobox', name='Initialisation').select_option('zero')
    for _ in range(3): click(figure, 'Step')
    assert all(math.isclose(v, math.log(2)) for v in state(figure)['losses'])   # classes of one size, and no way to move
    assert all('16 of 16 nowhere' in label for label in figure.locator('.units canvas').evaluate_all('all => all.map(e => e.ariaLabel)'))


def test_train_gradients_and_points(show):
    figure = show(training_view())
    click(figure, 'Reset')
    plane = figure.get_by_role('application')
    box = plane.bounding_box()
    plane.click(position={'x': box['width'] * .75, 'y': box['height'] * .25})
    figure.get_by_role('combobox', name='A click adds').select_option('0')
    for key in ('ArrowLeft', 'ArrowLeft', 'ArrowUp', 'Enter'): plane.press(key)
    s = state(figure)
    assert s['data']['y'][200:] == [1, 0] and s['step'] == 0
    assert s['data']['x'][200] == pytest.approx([1, .75], abs=.02) and s['data']['x'][201] == pytest.approx([-.2, .075])
    params = [t64(p[k]).reshape(*((p['n'], p['m']) if k == 'w' else (p['m'],))).requires_grad_() for p in s['params'] for k in 'wb']
    h = t64(s['data']['x'])
    for w, b in zip(params[::2], params[1::2]): h = (h @ w + b) if w is params[-2] else F.relu(h @ w + b)
    grads = torch.autograd.grad(F.cross_entropy(h, torch.tensor(s['data']['y'])), params)
    assert_close(t64([v for g in s['grads'] for k in 'wb' for v in g[k]]), torch.cat([g.flatten() for g in grads]), **CLOSE)
    rms = [float(v) for v in figure.locator('.sizes b').inner_text().replace('−', '-').split(' · ')]
    assert rms == pytest.approx([w.pow(2).mean().sqrt().item() for w in grads[::2]], rel=.06)   # two digits
    click(figure, 'Reset')
    assert len(state(figure)['data']['x']) == 200


def test_train_controls(show):
    figure = show(training_view(rate=1))
    rates = figure.get_by_role('combobox', name='Learning rate')
    assert rates.locator('option').all_inner_texts() == ['0.01', '0.03', '0.1', '0.3', '1', '3']
    assert state(figure)['rate'] == 1 and rates.locator('option:checked').inner_text() == '1'
    rates.select_option('3')
    assert state(figure)['rate'] == 3
    click(figure, 'Reset')
    curve = figure.locator('.curve svg')
    def ticks():   # of the losses, from the bottom up
        return curve.locator('text[text-anchor=end]:not(.green)').evaluate_all(
            'all => all.sort((a, b) => b.getAttribute("y") - a.getAttribute("y")).map(e => e.textContent)')
    assert ticks() == ['0.001', '0.01', '0.1', '1', '10'] and curve.get_by_text('loss', exact=True).count() == 1
    figure.get_by_role('combobox', name='Initialisation').select_option('large')
    assert 10 < state(figure)['losses'][0] < 100 and ticks()[-1] == '100'
    for _ in range(5): click(figure, 'Step')
    losses = state(figure)['losses']   # of far too long steps, and yet none is cut off: a larger loss is drawn further up
    path = curve.locator('path').last.get_attribute('d')
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
    figure = show(training_view())
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


FAULTS = [   # in the script, and the check that must notice each
    (training_view, check_train, 'l && h[i] <= 0 ? 0 : sum', 'sum'),
    (training_view, check_train, '-= rate * g', '-= g'),
    (training_view, check_train, '(c == y[k])) / x.length', '(c == y[k]))')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
