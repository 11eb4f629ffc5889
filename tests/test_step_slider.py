"The step slider of lesson 6: its differences bit for bit, its theory, and what the lesson says of it."
import math
from operator import itemgetter

import numpy as np
import pytest
import torch

from fastlesson.figures import step_slider
from figure_page import check_planted, said, slide, state

TYPES = {'float64': np.float64, 'float32': np.float32}
METHODS = 'central', 'one_sided'


def computed(name, x):
    "The function in NumPy: the operations of x³, ReLU and |x| are rounded correctly there, too."
    kind = type(x)
    if name == 'cube': return x * x * x
    if name == 'relu': return max(x, kind(0))
    if name == 'abs': return abs(x)
    if name == 'exp': return kind(math.exp(x))
    return kind(math.sin(x)) if name == 'sin' else kind(1e6) + kind(math.sin(x))

def difference(name, x, s, method):
    high, low = x + s, x - s if method == 'central' else x
    return (computed(name, high) - computed(name, low)) / (s + s if method == 'central' else s)

def slope(name, x):
    "The derivative, by autograd in float64."
    x = torch.tensor(float(x), dtype=torch.float64, requires_grad=True)
    fn = {'exp': torch.exp, 'sin': torch.sin, 'large': torch.sin, 'cube': lambda v: v**3, 'relu': torch.relu, 'abs': torch.abs}[name]
    return torch.autograd.grad(fn(x), x)[0].item()


def choose(figure, **values):
    for label, value in values.items(): figure.get_by_role('combobox', name=label).select_option(value)

def check_differences(figure):
    s = state(figure)
    name, kind = s['function'], TYPES[s['precision']]
    x, eps = kind(s['x']), float(np.finfo(kind).eps)
    assert float(x) == s['x'] and s['eps'] == eps and math.isclose(s['best'], eps ** (1/3 if s['method'] == 'central' else 1/2))
    exact = slope(name, s['x'])
    assert math.isclose(s['exact'], exact, rel_tol=1e-14)
    for method in METHODS:
        for i, p in enumerate(s['curves'][method]):
            step = kind(p['s'])
            assert float(step) == p['s'] and math.isclose(p['s'], 10 ** ((i - 160) / 10), rel_tol=eps)
            right = float(difference(name, x, step, method))
            if name in ('exp', 'sin', 'large'):   # the browser's and C's own functions: each within one unit in the last place
                ulp = max(float(np.spacing(abs(computed(name, v)))) for v in (x + step, x - step, x))
                assert abs(p['value'] - right) <= 4 * ulp / p['s'] + 2 * eps * abs(right)
            else: assert p['value'] == right
            assert p['error'] == abs(p['value'] - s['exact'])
            # Taylor's next term and the rounding bound the error; at steps up to 0.01 the terms after them are below one part in a hundred
            if p['s'] <= .01 and not (name in ('relu', 'abs') and abs(s['x']) <= p['s']):
                exact_noise = 4 * np.finfo(np.float64).eps * abs(exact)
                assert p['error'] <= 1.01 * p['truncation'] + 2.02 * p['rounding'] + exact_noise
                if p['truncation'] > 100 * p['rounding']: assert math.isclose(p['error'], p['truncation'], rel_tol=.05)
    at = s['curves'][s['method']][round((s['exponent'] + 16) * 10)]
    assert all(at[key] == s[key] for key in ('s', 'value', 'error', 'truncation', 'rounding'))
    return s


@pytest.mark.parametrize('precision', TYPES)
@pytest.mark.parametrize('name', ['exp', 'sin', 'cube', 'large', 'relu', 'abs'])
def test_step_slider(show, name, precision):
    figure = show(step_slider())
    choose(figure, Function=name, Precision=precision)
    for x in (1, -.35, 2):
        slide(figure, 'Point x', x)
        for method in METHODS:
            choose(figure, Difference=method)
            s = check_differences(figure)
            assert s['function'] == name and s['method'] == method and math.isclose(s['x'], x, rel_tol=1e-7)


def test_step_slider_is_the_lesson(show):
    "The differences that lesson 6 computes with torch, on the same steps."
    s = state(show(step_slider()))
    step = torch.tensor([p['s'] for p in s['curves']['central']], dtype=torch.float64)
    one = torch.tensor(1., dtype=torch.float64)
    central = ((one + step).exp() - (one - step).exp()) / (2*step)
    one_sided = ((one + step).exp() - one.exp()) / step
    for right, method in ((central, 'central'), (one_sided, 'one_sided')):
        ours = torch.tensor([p['value'] for p in s['curves'][method]], dtype=torch.float64)
        assert ((ours - right).abs() <= 4 * 9e-16 / step + 1e-15).all()   # exp(2) < 8, whose spacing is below 9e-16


def test_step_slider_kink(show):
    figure = show(step_slider('relu', 0.))
    s = state(figure)
    assert s['exact'] is None and s['value'] == .5 and 'there is no derivative' in said(figure)   # NaN is null in JSON
    assert 'no derivative' in figure.locator('.v').inner_text() and 'none: a kink' in figure.locator('pre').inner_text()
    choose(figure, Function='abs')
    assert state(figure)['value'] == 0 and '-1 on the left and 1 on the right' in said(figure).replace('−', '-')


def test_step_slider_by_hand(show):
    "By keyboard, and by pointing at the V."
    figure = show(step_slider())
    slider = figure.get_by_role('slider', name='Step s')
    assert slider.get_attribute('aria-valuetext') == '1.0e−15'
    slider.press('ArrowRight')
    assert state(figure)['exponent'] == -14.9
    slider.press('End')
    assert state(figure)['s'] == 1 and slider.get_attribute('aria-valuetext') == '1'
    figure.locator('.v').scroll_into_view_if_needed()
    box = figure.locator('.v').bounding_box()
    figure.page.mouse.click(box['x'] + 44 + (box['width'] - 52) / 2, box['y'] + 60)
    assert abs(state(figure)['exponent'] + 8) <= .1 and slider.input_value() == str(state(figure)['exponent'])
    value, exact = (figure.locator('pre div').nth(i).locator('b').inner_text() for i in (0, 1))
    assert value == exact and math.isclose(float(value), math.e, rel_tol=1e-6)


def test_step_slider_as_the_lesson_says(show):
    figure = show(step_slider())
    s = state(figure)
    assert s['s'] == 1e-15 and s['error'] > .1 and said(figure).startswith('Off by') and 'Take a larger step' in said(figure)
    def smooth(method):   # the median of eleven steps, a decade: the errors there jump up and down
        errors = [p['error'] for p in state(figure)['curves'][method]]
        return {i: float(np.median(errors[i - 5:i + 6])) for i in range(5, 156)}
    def best(method): return min(smooth(method).items(), key=itemgetter(1))   # at which step, and how large
    for precision in TYPES:
        choose(figure, Precision=precision)
        eps = state(figure)['eps']
        for method, power in (('central', 1/3), ('one_sided', 1/2)):
            at, error = best(method)
            assert eps**power / 10 < 10 ** ((at - 160) / 10) < 10 * eps**power
            assert error < 10 * eps ** (2/3 if method == 'central' else 1/2)
    choose(figure, Precision='float32')   # the best that float32 can do
    assert 1e-6 < best('central')[1] < 1e-4
    slide(figure, 'Step s', -8)
    assert state(figure)['value'] == 0 and 'x + s is rounded to x itself' in said(figure)
    choose(figure, Precision='float64', Function='relu')
    slide(figure, 'Point x', .05)
    for exponent, right in ((-2, True), (-1, False)):
        slide(figure, 'Step s', exponent)
        s = state(figure)
        assert (s['error'] < 1e-12) == right and ('over the kink' in said(figure)) == (not right)
    choose(figure, Function='large')
    slide(figure, 'Point x', 1)
    assert best('central')[1] > 1e-9   # ten digits of f are used up by the million


FAULTS = [   # in the script, and the check that must notice each
    (lambda: step_slider('cube', .35, 'float32'), check_differences, 'r(r(x * x) * x)', 'r(x * x * x)'),
    (step_slider, check_differences, 'r(2 * s)', 'r(s)'),
    (step_slider, check_differences, "s * s / 6 * Math.abs(third)", "s * s / 3 * Math.abs(third)"),
    (lambda: step_slider('cube', .35), check_differences, "[3 * x * x, 6 * x, 6]", "[3 * x, 6 * x, 6]"),
    (step_slider, check_differences, "eps / s * (size + moved) / 2", "eps / s * size / 20"),
    (lambda: step_slider('abs', -1., 'float32'), check_differences, 'f(r(x + s), r)', 'f(x + s, r)')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
