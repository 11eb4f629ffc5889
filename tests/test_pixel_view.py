"The pixel view of lesson 0: its numbers are the image's, and its histogram is normalised as torch does it."
import re

import pytest
import torch

from fastlesson.data import load_data
from fastlesson.figures import pixel_view
from figure_page import check_planted, luminance, said, slide, state

RAW = load_data('digits', normalize=False, device='cpu')
PAIR = RAW.x_valid.mean().item(), RAW.x_valid.std().item()


def grey(): return pixel_view(torch.arange(784).remainder(256)[None] / 255, .5, .5)   # every grey there is
def view(): return pixel_view(RAW.x_train, RAW.mean, RAW.std, {'the validation set': PAIR, 'something else': (.3, .1)})

def texts(figure): return [float(v.replace('−', '-')) if v else None for v in figure.locator('.digit').all_inner_texts()]


def check_pixels(figure):
    "What the figure shows of where it stands, against torch."
    s = state(figure)
    image, (mean, std), t = RAW.x_train[s['image']].reshape(28, 28).double(), s['numbers'], s['t']
    def on_the_way(x): return (x - min(1, 2 * t) * mean) / (1 + max(0, 2 * t - 1) * (std - 1))
    for cell, (r, c) in zip(texts(figure), torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3)).tolist(), strict=True):
        r, c = r + s['row'], c + s['column']
        if 0 <= r < 28 and 0 <= c < 28: assert abs(cell - on_the_way(image[r, c].item())) < .00501
        else: assert cell is None
    pixels = on_the_way(RAW.x_train.double())
    assert abs(s['mean'] - pixels.mean().item()) < 1e-6 and abs(s['std'] - pixels.std().item()) < 1e-6   # float32 pixels
    assert s['n'] == RAW.x_train.numel()
    ink = round(image[s['row'], s['column']].item() * 255)
    assert said(figure).startswith(f'Row {s["row"]}, column {s["column"]} (number {28 * s["row"] + s["column"]}): {ink} of 255')
    return s


def check_legible(figure):
    "A contrast of 4.5 to 1 between a number and the grey on which it stands."
    box, ratios = figure.locator('.pixels').bounding_box(), {}
    for row, column in torch.cartesian_prod(torch.tensor([2, 7]), torch.arange(2, 28, 5)).tolist():
        figure.page.mouse.move(box['x'] + (column + .5) / 28 * box['width'], box['y'] + (row + .5) / 28 * box['height'])
        for style in figure.locator('.digit').evaluate_all('all => all.filter(e => e.textContent).map(e => getComputedStyle(e)).map(s => [s.backgroundColor, s.color])'):
            under, text = (luminance(*(int(v) / 255 for v in re.findall(r'\d+', colour)[:3])) for colour in style)
            ratios[style[0]] = (max(under, text) + .05) / (min(under, text) + .05)
    assert len(ratios) == 256 and min(ratios.values()) >= 4.5


def check_sliding(figure):
    "All numbers that can be chosen, at five places on the way."
    for whose in ('the training set', 'the validation set', 'something else', 'this image alone'):
        figure.get_by_role('combobox').select_option(whose)
        for t in (0, .25, .5, .75, 1):
            slide(figure, 'From raw to normalised', t)
            s = check_pixels(figure)
            assert s['whose'] == whose and s['t'] == t
        if whose == 'this image alone':
            image = RAW.x_train[s['image']].double()
            assert s['numbers'] == pytest.approx([image.mean().item(), image.std().item()], rel=1e-6)


def test_pixel_opens(show):
    figure = show(view())
    s = check_pixels(figure)
    assert s['t'] == 0 and s['mean'] == pytest.approx(RAW.mean, rel=1e-5) and s['std'] == pytest.approx(RAW.std, rel=1e-5)
    assert len(set(texts(figure))) > 8   # a stroke's edge, not paper
    assert figure.get_by_role('button').count() == 6 and figure.locator('[aria-pressed=true]').get_attribute('aria-label') == 'Image 1'


def test_pixel_slides(show): check_sliding(show(view()))


def test_pixel_keyboard(show):
    figure = show(view())
    field, begin = figure.get_by_role('application'), state(figure)
    field.focus()
    for key in ('ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowUp', 'ArrowUp', 'ArrowLeft'): field.press(key)
    s = check_pixels(figure)
    assert (s['row'], s['column']) == (begin['row'] - 1, begin['column'] + 1)
    for _ in range(30): field.press('ArrowUp')
    assert check_pixels(figure)['row'] == 0   # it stays in the image
    figure.get_by_role('button', name='Image 3').press('Enter')
    assert check_pixels(figure)['image'] == 2
    slider = figure.get_by_role('slider')
    slider.press('End')
    s = check_pixels(figure)
    assert slider.get_attribute('aria-valuetext') == 'normalised' and abs(s['mean']) < 1e-6 and abs(s['std'] - 1) < 1e-6


def test_pixel_pointer(show):
    "The mouse only hovers; a finger drags. Both see the pixel that they are on."
    figure = show(view())
    field = figure.get_by_role('application')
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    def at(row, column): return box['x'] + (column + .5) * box['width'] / 28, box['y'] + (row + .5) * box['height'] / 28
    figure.page.mouse.move(*at(20, 5))
    s = check_pixels(figure)
    assert (s['row'], s['column']) == (20, 5)
    touch = figure.page.context.new_cdp_session(figure.page)
    for kind, places in (('touchStart', [(3, 4)]), ('touchMove', [(9, 11)]), ('touchEnd', [])):
        points = [dict(zip('xy', at(*place))) for place in places]
        touch.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})
    s = check_pixels(figure)
    assert (s['row'], s['column']) == (9, 11)
    assert min(b['height'] for b in map(lambda e: e.bounding_box(), figure.get_by_role('button').all())) >= 32


def test_pixel_histogram_as_the_lesson_says(show):
    "The bars have the counts, keep them on the way, and stand where the values do."
    figure = show(view())
    def bars(): return figure.locator('rect.tally').evaluate_all('all => all.map(e => ["x", "width", "height"].map(a => +e.getAttribute(a)))')
    stored = (RAW.x_train * 255).round().int().flatten().bincount(minlength=256).reshape(64, 4).sum(1)
    before = bars()
    slide(figure, 'From raw to normalised', 1)
    after = bars()
    heights, logs = torch.tensor([b[2] for b in after]), stored.log10()
    scale = (heights[0] - heights[-1]) / (logs[0] - logs[-1])
    torch.testing.assert_close(heights - heights[0], scale * (logs - logs[0]), atol=1e-2, rtol=0)
    assert [b[2] for b in before] == [b[2] for b in after]
    assert sum(b[1] for b in after) / sum(b[1] for b in before) == pytest.approx(1 / RAW.std, rel=1e-6)   # dividing by std stretches


def test_pixel_as_the_lesson_says(show):
    figure = show(view())
    image = figure.locator('.digit').all_inner_texts()
    assert any(.1 < float(v) < .9 for v in image)   # grey levels at the edge of a stroke
    slide(figure, 'From raw to normalised', 1)
    figure.get_by_role('combobox').select_option('this image alone')
    full = []
    for i in range(6):   # the same ink becomes another number in each image
        figure.get_by_role('button', name=f'Image {i + 1}').click()
        mean, std = state(figure)['numbers']
        full.append((1 - mean) / std)
        assert f'But the model has learnt it as' in said(figure)
    assert max(full) - min(full) > .2
    slide(figure, 'From raw to normalised', .5)
    figure.get_by_role('combobox').select_option('the training set')
    s = state(figure)
    assert abs(s['mean']) < 1e-6 and s['std'] == pytest.approx(RAW.std, rel=1e-5)   # subtracting moves, and doesn't stretch


@pytest.mark.parametrize('change, message', [
    ({'images': RAW.x_train[:, :700]}, r'images is \(1283, 700\).*: it must be \(n, 784\)'), ({'images': RAW.x_train[:0]}, r'images is \(0, 784\).* with n at least 1'),
    ({'images': RAW.x_train * 255}, 'images runs from 0 to 255: it must run .* load_data'), ({'images': RAW.x_train * float('nan')}, 'to nan'),
    ({'std': 0}, 'std is 0.0: it must be above 0'), ({'mean': float('inf')}, 'mean is inf'), ({'other': {'mine': (0, -1)}}, 'std of mine is -1')])
def test_pixel_refused(change, message):
    with pytest.raises(ValueError, match=message): pixel_view(**{'images': RAW.x_train, 'mean': RAW.mean, 'std': RAW.std} | change)


def test_pixels_legible(show): check_legible(show(grey()))


FAULTS = [   # in the script, and the check that must notice each
    (view, check_sliding, 'Math.max(0, 2 * at - 1) * (std - 1)', 'at * (std - 1)'),
    (view, check_sliding, 'squares / (n - 1)', 'squares / n'),
    (view, check_pixels, 'const [r, c] = [row + places[k][0], column + places[k][1]]', 'const [c, r] = [row + places[k][0], column + places[k][1]]'),
    (view, check_sliding, 'choices[whose] ?? alone[image]', 'choices[whose] ?? alone[0].toReversed()'),
    (grey, check_legible, 'v > 117', 'v > 110')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
