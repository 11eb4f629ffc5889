"The explorer of lesson 4: its statistics and its theory against layer_stats and gain."
import math

import pytest
import torch
from torch.testing import assert_close

from fastlesson.depth import ACTIVATIONS, gain, layer_stats
from fastlesson.figures import init_explorer
from figure_page import CLOSE, check_planted, click, press, said, shown, slide, state, t64
from test_figures import OPERATE


def unfold(figure): figure.locator('summary').click()

def check_init(figure):
    s = state(figure)
    width, activation = s['width'], s['activation']
    x, top = t64(s['x']).reshape(-1, width), t64(s['top']).reshape(-1, width)
    weights = [t64(w).reshape(width, width) * s['gain'] / width**.5 for w in s['weights']]
    stats = layer_stats(x, weights, activation)
    assert_close(t64([v['mean'] for v in s['signal']]), stats.mean, **CLOSE)
    assert_close(t64([v['std'] for v in s['signal']]), stats.std, **CLOSE)
    outputs, h = [], x.requires_grad_()
    for w in weights: outputs.append(h := ACTIVATIONS[activation](h @ w))
    grads = torch.autograd.grad(h, outputs, top)
    assert_close(t64([v['std'] for v in s['gradient']]), torch.stack([v.std(correction=0) for v in grads]), **CLOSE)
    assert_close(t64([v['rms'] for v in s['gradient']]), torch.stack([v.pow(2).mean().sqrt() for v in grads]), **CLOSE)
    return s, weights


@pytest.mark.parametrize('activation', ACTIVATIONS)
@pytest.mark.parametrize('start', ['He', 'PyTorch √5'])
def test_init(show, activation, start):
    figure = show(init_explorer(depth=7, width=16))
    figure.get_by_role('combobox', name='Activation').select_option(activation)
    click(figure, start)
    s, weights = check_init(figure)
    assert s['activation'] == activation and math.isclose(s['gain'], 2**.5 if start == 'He' else 3**-.5)
    if start != 'He': assert max(w.abs().max() for w in weights) <= 16**-.5   # uniform between ±1/√n


@pytest.mark.parametrize('activation', ACTIVATIONS)
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
    for _ in range(2): gains.press('ArrowRight')   # a mark holds the slider for a hundredth
    s = state(figure)
    assert math.isclose(s['gain'], 1.02) and said(figure) != before
    click(figure, 'He')
    assert figure.get_by_role('button', name='He').get_attribute('aria-pressed') == 'true'
    assert gains.get_attribute('aria-valuetext') == '1.41 (He)'
    unfold(figure)
    figure.get_by_role('slider', name='Layer of the middle histogram').press('ArrowLeft')
    assert state(figure)['chosen'] == [1, 24, 50]
    values = state(figure)['outputs'][23]
    zeros = round(100 * sum(v == 0 for v in values) / len(values))
    assert f'{zeros}\u00a0% zeros' in figure.locator('.histograms .hint:last-child').nth(1).inner_text()
    figure.get_by_role('slider', name='Layers').press('Home')
    figure.get_by_role('slider', name='Units').press('End')
    s = state(figure)
    assert (s['depth'], s['width'], len(s['signal']), s['chosen']) == (2, 128, 2, [1, 1, 2])
    press(figure, 'Draw again')
    assert state(figure)['x'] != s['x']


def test_init_axes_hold_still(show):
    figure = show(init_explorer())
    unfold(figure)
    def ticks(): return set(figure.locator('.plot text[text-anchor=end]').all_text_contents())
    def ends(): return [d.split(',')[-1] for d in figure.locator('.plot path').evaluate_all('all => all.map(e => e.getAttribute("d"))')]
    first, before = ticks(), ends()
    for name in ('PyTorch √5', 'He', 'tanh’s 5/3'):
        click(figure, name)
        assert ticks() == first == {'10⁻²⁰', '10⁻¹⁰', '1', '10¹⁰', '10²⁰'} and ends() != before
        before = ends()
    click(figure, 'PyTorch √5')
    click(figure, 'Zoom in')
    assert ticks() == {'10⁻²', '10⁻¹', '1', '10¹', '10²'}
    notes = [t for t in figure.locator('.plot text').all_text_contents() if t[0] in '▲▼']
    s = state(figure)
    def power(v): return str(round(math.log10(v))).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))
    assert notes == [f"▼ 10{power(s['signal'][-1]['rms'])} at layer 50", f"▼ 10{power(s['gradient'][0]['rms'])} at layer 1"]
    labels = figure.locator('.histograms svg text:last-child')
    assert labels.all_text_contents() == ['3'] * 3   # what has shrunk looks small
    click(figure, 'Own scales')
    assert [float(t.replace('−', '-')) for t in labels.all_text_contents()] == pytest.approx([3 * s['signal'][i]['rms'] for i in (0, 24, 49)], rel=.06)


@pytest.mark.parametrize('activation', ['relu', 'linear', 'silu'])
def test_init_map(show, activation):
    "The map of gains and depths: green at the gain that keeps the signal, and a click there chooses it."
    figure = show(init_explorer(activation=activation))
    unfold(figure)
    canvas = figure.locator('.map canvas')
    opaque = canvas.evaluate('c => [...c.getContext("2d").getImageData(c.width - 1, 0, 1, c.height).data].filter((_, i) => i % 4 == 3)')
    rows, (least, most) = len(opaque), (.2, 2.5)
    row = max(range(rows), key=opaque.__getitem__)
    one = (most - least) / rows   # the rows' distance
    assert abs(most - (row + .5) * one - gain(activation)) <= one
    box = canvas.bounding_box()
    canvas.click(position={'x': box['width'] / 2, 'y': box['height'] * (row + .5) / rows})
    assert abs(state(figure)['gain'] - gain(activation)) <= 1.5 * one
    assert figure.locator('.here').evaluate('e => parseFloat(e.style.top)') == pytest.approx(100 * (most - state(figure)['gain']) / (most - least), rel=5e-6)   # a style has six digits


def test_init_drawn_to_measure(show):
    figure = show(init_explorer(depth=2, width=8))
    for place in [figure.locator('.histograms > div').nth(i) for i in range(3)] + [figure.locator('.plot')]:
        place.evaluate("e => e.style.width = '120px'")
        place.locator('svg[width="120"]').wait_for()


def test_init_folded(show):
    "What stands in the fold changes no height either, and the figure fits a phone with it closed."
    figure = show(init_explorer())
    figure.page.set_viewport_size({'width': 390, 'height': 844})
    assert figure.bounding_box()['height'] <= 760
    unfold(figure)
    assert len(set(figure.evaluate(OPERATE))) == 1


def test_init_coarse(show):
    "While the slider moves a quarter of the inputs is computed, and all of them once it rests."
    figure = show(init_explorer(depth=5, width=16))
    slide(figure, 'Gain', 1.2)
    texts = figure.evaluate("""async f => { const say = () => f.querySelector('.say').textContent, frame = () => new Promise(requestAnimationFrame)
        await frame(); await frame(); const coarse = say(); await new Promise(done => setTimeout(done, 600)); return [coarse, say()] }""")
    s, _ = check_init(figure)
    def size(values): return shown(values.pow(2).mean().sqrt().item(), 2)
    outputs = t64(s['outputs'][-1]).reshape(s['batch'], -1)
    for text, rows in zip(texts, (s['batch'] // 4, s['batch'])): assert text.startswith(f'Signal after layer 5: {size(outputs[:rows])} (theory')


def test_init_as_the_lesson_says(show):
    figure = show(init_explorer())
    def sizes(s): return s['signal'][-1]['rms'], s['gradient'][0]['rms']
    s = state(figure)
    assert max(sizes(s)) < 1e-6 and math.isclose(s['forwards'][-1], 2**-25, rel_tol=.2)   # it opens with ReLU and LeCun's gain
    unfold(figure)   # a layer's second moment has the relative variance 5/n, its root half the standard deviation
    stray = math.sqrt(5 / 64) / 2
    assert f'by about {100 * stray:.0f}\u00a0% a layer with 64 units' in figure.inner_text() and f'a factor of about {math.exp(stray * 50**.5):.1f}' in figure.inner_text()
    click(figure, 'He')
    for _ in range(3):
        assert all(abs(math.log(v)) < 5 * stray * 50**.5 for v in sizes(state(figure)))   # five standard deviations
        click(figure, 'Draw again')
    click(figure, 'PyTorch √5')
    assert figure.get_by_role('slider', name='Gain').get_attribute('aria-valuetext') == '0.58 (PyTorch √5)'
    assert 1e-23 < sizes(state(figure))[0] < 1e-17
    figure.get_by_role('combobox', name='Activation').select_option('tanh')
    figure.get_by_role('slider', name='Gain').press('End')
    s = state(figure)
    assert sum(abs(v) > .8 for v in s['outputs'][-1]) > .5 * len(s['outputs'][-1]) and sizes(s)[1] > 1e3
    figure.get_by_role('combobox', name='Activation').select_option('gelu')
    for value, works in (1.7, lambda v: v > 1e3), (1.4, lambda v: v < 1e-3):
        slide(figure, 'Gain', value)
        assert works(sizes(state(figure))[0])


FAULTS = [   # in the script, and the check that must notice each
    (lambda: init_explorer(7, 16, 'tanh'), check_init, 'slope(before[layer][i])', 'slope(outputs[layer][i])'),
    (lambda: init_explorer(7, 16, 'gelu'), check_init, 'normal(z) + z * density(z)', 'normal(z)'),
    (lambda: init_explorer(7, 16), check_init, 's2 += v * w[r + 2 * m + j]', 's2 += v * w[r + m + j]')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
