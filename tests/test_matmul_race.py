"The race of lesson 1: at any moment, each version has finished as many products as its recorded time allows."
import math

import pytest

from fastlesson.figures import matmul_race
from fastlesson.measure import recorded
from figure_page import check_planted, press, said, slide, state

RUN, SIZE = recorded('ladder')[0], '5×784 @ 784×10'
TIMES = {row['rung']: row['seconds'] for row in RUN['rows'] if row['size'] == SIZE}
LOOPS, AT = TIMES['loops'], TIMES['torch']


def race(): return matmul_race(RUN, SIZE)


def check_race(figure):
    "Numbers, dots and words, at three moments."
    for place in (0, 37, 200, 1000):
        slide(figure, 'Time', place)
        s = state(figure)
        assert s['time'] == pytest.approx(LOOPS * place / 1000)
        expected = {name: math.floor(s['time'] / t * (1 + 1e-9)) for name, t in TIMES.items()}   # a moment that is a version's own counts
        assert s['finished'] == expected and s['rows'] == 5 * place // 1000
        for lane, n in zip(figure.locator('.lane').all(), expected.values(), strict=True):
            dots = lane.locator('canvas').evaluate(
                "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 == 3 && v == 255).length")
            assert dots == n   # one dot, one product
            if n: assert lane.locator('> b').inner_text() == f'{n:,} product{"s" * (n > 1)}'
        if expected['torch']: assert f'torch has finished {expected["torch"]:,} such products' in said(figure)


def test_race_opens(show):
    figure = show(race())
    s = state(figure)
    assert s['time'] == pytest.approx(LOOPS / 5) and s['rows'] == 1 and not s['running']
    assert s['finished'] == {name: math.floor(LOOPS / 5 / t) for name, t in TIMES.items()}
    assert '7,840 of the 39,200 multiplications of its first product, 1 of 5 rows' in said(figure)
    assert figure.locator('.lane').first.locator('> b').inner_text() == '1 of 5 rows'
    hint = figure.locator('p.hint').inner_text()
    assert all(part in hint for part in (RUN['machine']['name'], RUN['date'], RUN['torch'], '1 thread', SIZE))


def test_race_counts(show): check_race(show(race()))


def test_race_first_products(show):
    figure = show(race())
    for name, t in TIMES.items():   # a version's name leads to its first product
        press(figure, f'{name}: to its first finished product')
        s = state(figure)
        assert s['time'] == pytest.approx(t) and s['finished'][name] == 1
    press(figure, 'loops: one row')
    slider = figure.get_by_role('slider')
    slider.press('ArrowRight')
    assert state(figure)['time'] == pytest.approx(LOOPS * .201) and slider.get_attribute('aria-valuetext').endswith(' ms')
    assert min(e.bounding_box()['height'] for e in figure.get_by_role('button').all()) >= 32


@pytest.mark.parametrize('motion', ['no-preference', 'reduce'])
def test_race_runs_when_asked(show, motion):
    figure = show(race())
    figure.page.emulate_media(reduced_motion=motion)
    before = state(figure)
    figure.page.wait_for_timeout(200)
    assert state(figure) == before   # nothing runs by itself
    begin = figure.page.evaluate('performance.now()')
    press(figure, 'Replay')
    assert state(figure)['time'] < before['time']   # from the start
    figure.page.wait_for_function('f => f.fastlesson.state.time > .01', arg=figure.element_handle())
    press(figure, 'Pause')
    s, took = state(figure), (figure.page.evaluate('performance.now()') - begin) / 1000
    assert .01 < s['time'] <= took / s['slower'] and s['slower'] == 50   # no quicker than it says
    figure.page.wait_for_timeout(100)
    assert state(figure) == s
    figure.get_by_role('combobox', name='Speed').select_option('as recorded')
    press(figure, 'Play')   # on from there
    figure.page.wait_for_function('f => f.fastlesson.state.time == f.fastlesson.state.end', arg=figure.element_handle())
    figure.get_by_role('button', name='Replay', exact=True).wait_for()
    assert state(figure)['finished']['torch'] == math.floor(LOOPS / AT)


def test_race_as_the_lesson_says(show):
    figure = show(race())
    assert 9_000 < state(figure)['finished']['torch'] < 10_000
    press(figure, 'lists: to its first finished product')
    assert state(figure)['share'] < .01 and state(figure)['finished']['torch'] > 300
    slide(figure, 'Time', 1000)
    counts = list(state(figure)['finished'].values())
    assert counts[0] == 1 and 100 < counts[1] < 200 and 40_000 < counts[-1] < 50_000
    ratios = [b / a for a, b in zip(counts, counts[1:])]
    assert max(ratios) == ratios[0]   # the largest step is from tensors to lists


def test_race_other_sizes(show):
    "Any size of the record: the versions that it has, in its own rows and steps."
    figure = show(matmul_race(RUN, '512×512 @ 512×512'))
    s = state(figure)
    assert list(s['finished']) == ['dot', 'broadcast', 'einsum', 'torch'] and s['rows'] == 1
    slide(figure, 'Time', 1000)
    assert '134,217,728 of the 134,217,728 multiplications' in said(figure) and '2 threads' in figure.locator('p.hint').inner_text()


def test_race_refused():
    with pytest.raises(ValueError, match="size is '5x784', of which the record has 0 versions: it has .*5×784 @ 784×10"): matmul_race(RUN, '5x784')
    broken = RUN | {'rows': [row | {'seconds': math.nan} for row in RUN['rows']]}
    with pytest.raises(ValueError, match='seconds of .* is nan'): matmul_race(broken, SIZE)


FAULTS = [   # in the script, and the check that must notice each
    (race, check_race, 'Math.floor(time / row.seconds * (1 + 1e-12))', 'Math.ceil(time / row.seconds * (1 + 1e-12))'),
    (race, check_race, 'go(end * value / MOMENTS)', 'go(end * (value / MOMENTS)**2)'),   # not linear
    (race, check_race, 'dots % wide, 1)', 'dots % high, 1)')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
