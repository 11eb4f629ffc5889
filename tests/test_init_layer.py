"The layer of lesson 3: its numbers against torch's, its theory against a normal variable's moments, its marks against the lesson's rules."
import math

import pytest
import torch
from torch.testing import assert_close

from fastlesson.figures import init_layer
from fastlesson.init import glorot_std, he_std, lecun_std
from figure_page import CLOSE, check_planted, click, said, shown, slide, t64

MOST = 2048   # inputs and weights are drawn once, for so many

def known(figure):
    "What the figure knows, without the numbers that its n doesn't use."
    return figure.evaluate("""f => { const {inputs, normals, z, ...s} = f.fastlesson.state, {n, rows, units} = s
        return {...s, z: [...z], inputs: Array.from({length: rows}, (_, r) => [...inputs.subarray(r * 2048, r * 2048 + n)]), normals: [...normals.subarray(0, n * units)]} }""")

def check_layer(figure):
    s = known(figure)
    x, w = t64(s['inputs']), t64(s['normals']).reshape(s['n'], s['units']) * s['std']
    z = x @ w
    assert_close(t64(s['z']).reshape(z.shape), z, rtol=1e-9, atol=1e-9 * z.abs().max().item())
    for name, v in (('before', z), ('after', z.relu())):
        assert_close(t64([s[name]['mean'], s[name]['square']]), torch.stack([v.mean(), v.square().mean()]), rtol=1e-9, atol=1e-9 * v.abs().max().item())
    variance = s['n'] * s['std']**2   # E[z²]; half of a normal's second moment lies above 0, and its mean there is √(v / 2π)
    wanted = {'before': (0, variance), 'after': (math.sqrt(variance / (2 * math.pi)), variance / 2)}
    for name, values in wanted.items(): assert_close(t64(list(s['theory'][name].values())), t64(values), **CLOSE)
    # Measured over 2,000 outputs of 50 rows and 40 units. For given inputs the units are independent, so a mean square has a relative
    # standard error of at most √(2 / 40) from the weights and √(2 / 50 n) from the rows' lengths; five of them.
    assert abs(s['before']['square'] / variance - 1) < 5 * (math.sqrt(2 / 40) + math.sqrt(2 / (50 * s['n'])))
    return s


def test_layer_opens(show):
    s = check_layer(figure := show(init_layer()))
    assert (s['n'], s['std']) == (784, 1) and 'beyond the edges' in figure.inner_text()


@pytest.mark.parametrize('n', [8, 48, 784])
def test_layer_rules(show, n):
    "LeCun, Glorot and He are the lesson's, and He's keeps the mean square through ReLU."
    figure = show(init_layer(n_in=n, n_out=50))
    for name, rule in (('LeCun', lecun_std(n)), ('Glorot', glorot_std(n, 50)), ('He', he_std(n))):
        figure.get_by_role('button', name=name).click()
        s = check_layer(figure)
        assert math.isclose(s['std'], rule, rel_tol=1e-12)
        assert figure.locator('[aria-pressed=true]').inner_text() == f'{name} {shown(rule, 2)}'
        mark = figure.locator('.rules span', has_text=name).evaluate('e => parseFloat(e.style.getPropertyValue("--at"))')
        thumb = figure.get_by_role('slider', name='Standard deviation').evaluate('e => (e.value - e.min) / (e.max - e.min)')
        assert abs(mark - (math.log10(rule) + 3.3) / 4) < 1e-9 and abs(mark - thumb) < .002   # the mark stands where the slider is
    assert math.isclose(s['theory']['after']['square'], 1, rel_tol=1e-12)


def test_layer_slides(show):
    figure = show(init_layer(n_in=100, std=.1))
    slide(figure, 'Standard deviation of the weights', -3)
    assert math.isclose(check_layer(figure)['std'], 1e-3)
    sizes = figure.get_by_role('slider', name='Inputs n')
    sizes.press('ArrowRight')
    assert check_layer(figure)['n'] == 128 and sizes.get_attribute('aria-valuetext') == '128'
    assert said(figure).startswith('Inputs have a mean square of 1.')


def test_layer_marks_hold(show):
    "Near a mark the slider stays on it, and no two names on the slider lie on each other."
    figure = show(init_layer(n_in=100))
    slide(figure, 'Standard deviation of the weights', round(math.log10(he_std(100)) / .005) * .005)
    assert math.isclose(known(figure)['std'], he_std(100), rel_tol=1e-12) and figure.locator('[aria-pressed=true]').inner_text().startswith('He')
    for width in (1280, 390):
        figure.page.set_viewport_size({'width': width, 'height': 844})
        for i in range(18):
            slide(figure, 'Inputs n', i)
            boxes = figure.locator('.rules span').evaluate_all('''all => all[0].closest('.fastlesson').fastlesson.state && all.map(e => { const r = document.createRange(); r.selectNodeContents(e)
                const b = r.getBoundingClientRect(); return [b.left, b.right, b.top, b.bottom] })''')
            for k, (l, r, t, b) in enumerate(boxes):
                assert all(r <= l2 or r2 <= l or b <= t2 + 1 or b2 <= t + 1 for l2, r2, t2, b2 in boxes[k + 1:])
    assert figure.bounding_box()['height'] <= 760


def test_layer_as_the_lesson_says(show):
    figure = show(init_layer())
    s = known(figure)
    assert s['theory']['before']['square'] == 784   # √784 = 28 is the standard deviation of an output
    assert .85 < sum(abs(z) >= 4 for z in s['z']) / len(s['z']) < .92   # nearly nine in ten
    figure.get_by_role('button', name='LeCun').click()
    s = known(figure)
    assert math.isclose(s['theory']['before']['square'], 1) and math.isclose(s['theory']['after']['square'], .5)
    assert f"the next layer’s inputs are {shown(s['after']['square']**.5, 2)} times as large" in said(figure) and .4 < s['after']['square'] < .6
    figure.get_by_role('button', name='He').click()
    assert 'the next layer’s inputs are about as large' in said(figure)
    slide(figure, 'Inputs n', 0)   # fewer inputs, the same weights: a rule for 784 inputs is none for 8
    assert math.isclose(known(figure)['theory']['after']['square'], 8 / 784)


FAULTS = [   # in the script, and the check that must notice each
    (lambda: init_layer(20, std=.3), check_layer, 'inputs[r * MOST + i] * state.std', 'inputs[r * MOST + i]'),
    (lambda: init_layer(20, std=.3), check_layer, 'Math.max(0, v)), variance', 'Math.abs(v)), variance'),
    (lambda: init_layer(20, std=.3), check_layer, 'variance / (2 * Math.PI)', 'variance / Math.PI'),
    (lambda: init_layer(20, std=.3), check_layer, 'normals[i * UNITS + j]', 'normals[j * UNITS + i]')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)


def test_refused():
    with pytest.raises(ValueError, match='n_in is 4, .*8 to 2048'): init_layer(4)
