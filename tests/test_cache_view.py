"The cache of lesson 10: each hit, miss and write-back against a simulation in Python, and the formulas against the counts."
from collections import OrderedDict
from itertools import product

import pytest

from fastlesson.figures import cache_view
from figure_page import check_planted, click, press, said, slide, state

ORDERS = 'ijk', 'ikj', 'jik', 'jki', 'kij', 'kji'


def accesses(n, order, block):
    "The numbers that a product uses, one after the other, as (matrix, row, column)."
    side = block or n
    for corner in product(range(0, n, side), repeat=3):
        for within in product(range(side), repeat=3):
            at = dict(zip(order, (c + w for c, w in zip(corner, within))))
            i, k, j = at['i'], at['k'], at['j']
            yield from (('a', i, k), ('b', k, j), ('c', i, j))


def lru(n, lines, length, order, block, steps=None):
    "Lines fetched of each matrix, lines of c written back, the lines held (the least recently used first), and whether the last three were hits."
    cache, fetched, written, hits = OrderedDict(), {'a': 0, 'b': 0, 'c': 0}, 0, []
    for t, (name, row, column) in enumerate(accesses(n, order, block)):
        if steps is not None and t == 3 * steps: break
        line = name, (row * n + column) // length
        hits.append(line in cache)
        if line in cache: cache.move_to_end(line)
        else:
            fetched[name] += 1
            cache[line] = None
            if len(cache) > lines: written += cache.popitem(last=False)[0][0] == 'c'
    else: written += sum(name == 'c' for name, _ in cache)
    return list(fetched.values()), written, list(cache), hits[-3:]


def choose(figure, name, value): figure.get_by_role('combobox', name=name).select_option(str(value))


def check_cache(figure):
    "What the figure counts at this step, at the end, and for all orders and blocks."
    s = state(figure)
    run = s['n'], s['lines'], s['length'], s['order'], s['block']
    fetched, written, held, hits = lru(*run, steps=s['step'])
    per_matrix = s['n']**2 // s['length']
    assert (s['fetched'], s['written']) == (fetched, written) and s['moved'] == sum(fetched) + written
    assert [('abc'[line // per_matrix], line % per_matrix) for line in s['cache']] == held
    assert [last['hit'] for last in s['last']] == hits
    fetched, written, *_ = lru(*run)
    assert (s['end']['fetched'], s['end']['written']) == (fetched, written)
    blocks = [0] + [b for b in (2, 4, 8) if b < s['n'] and s['n'] % b == 0]
    for order, row in zip(ORDERS, s['totals'], strict=True):
        for block, moved in zip(blocks, row, strict=True):
            fetched_, written_, *_ = lru(*run[:3], order, block)
            assert moved == sum(fetched_) + written_, (order, block)
    if s['formula']: assert [value for _, value in s['formula']['each']] == fetched and written == fetched[2]
    return s


def test_cache_opens(show):
    "On ijk with a cache that is too small, in the middle of the run, and with all totals in sight."
    figure = show(cache_view())
    s = check_cache(figure)
    assert (s['order'], s['block'], s['lines'], s['length'], s['count']) == ('ijk', 0, 16, 4, 4096) and .4 < s['step'] / s['count'] < .5
    assert said(figure) == 'c[7, 3] += a[7, 2] × b[2, 3]. a: hit; b: miss, a[7, 4:8] leaves; c: hit.'
    assert s['end']['moved'] == 5248 and figure.locator('.chosen').all_inner_texts() == ['5,248']
    assert figure.locator('rect.hit').count() == 2 and figure.locator('path.miss').count() == 1


@pytest.mark.parametrize('n, lines, length, order, block', [(8, 3, 2, 'ikj', 0), (8, 10, 8, 'jik', 4), (12, 13, 4, 'kji', 2),
                                                            (12, 40, 1, 'kij', 4), (16, 17, 4, 'ijk', 4), (16, 64, 8, 'jki', 8)])
def test_cache_counts(show, n, lines, length, order, block):
    figure = show(cache_view(n, lines, length, order, block))
    check_cache(figure)
    for step in 0, 1, 2 * n + 1, n**3 - 1, n**3:
        slide(figure, 'Step', step)
        assert check_cache(figure)['step'] == step


def test_cache_formulas(show):
    "Wherever the figure gives a formula, in any cache, its value is the count."
    held = set()
    for n in 8, 12:
        figure = show(cache_view(n))
        for length in (1, 2, 4, 8) if n == 8 else (2, 4):
            choose(figure, 'A line holds', length)
            runs = [*product((*range(3, 33), 48, 60), ORDERS, (0, 2, 4))]
            for run, found in zip(runs, figure.evaluate("""(f, runs) => runs.map(run => {
                const [order, block] = f.querySelectorAll('select'), cache = f.querySelector('input')
                const set = (e, v, kind) => { if (e.value != v) { e.value = v; e.dispatchEvent(new Event(kind)) } }
                set(cache, run[0], 'input'); set(order, run[1], 'change'); set(block, run[2], 'change')
                const {formula, end} = f.fastlesson.state
                return [formula?.why, formula?.each.map(([, v]) => v), end.fetched, end.written] })""", runs), strict=True):
                why, values, fetched, written = found
                assert not why or values == fetched and written == fetched[2], (n, length, run, found)
                held.add((why, run[1]))
    assert len({why for why, _ in held}) == 5   # each formula, and none
    assert {order for why, order in held if why and why.startswith('no turn')} == set(ORDERS)


def test_cache_as_the_lesson_says(show):
    figure = show(cache_view())
    def moved(order, block=0):
        choose(figure, 'Loop order', order)
        choose(figure, 'Blocks', block)
        return check_cache(figure)['end']['moved']
    ijk, ikj, jki = map(moved, ('ijk', 'ikj', 'jki'))
    assert (ijk, ikj, jki) == (5248, 1216, 12544) and ijk > 4 * ikj and jki > 10 * ikj
    assert moved('ijk', 4) == 640 and 8 * 640 < ijk and moved('ijk', 8) == 1408   # blocks of 8 don't fit: three of them are 48 lines
    assert state(figure)['formula'] is None
    moved('ijk')
    fetched = state(figure)['end']['fetched']
    assert fetched == [1024, 4096, 64] and fetched[1] == 16**3   # a miss for each multiply-add
    slide(figure, 'Cache', 21)   # a column of b, a row of a and a line of c
    s = check_cache(figure)
    assert s['end']['fetched'] == [64, 1024, 64] and s['end']['moved'] == 1216 == ikj
    slide(figure, 'Cache', 16)
    for length in 8, 4, 2, 1:
        choose(figure, 'A line holds', length)
        assert check_cache(figure)['end']['fetched'][1] == 4096   # down a column, longer lines don't help
    choose(figure, 'A line holds', 4)


def test_cache_by_hand(show):
    "By keyboard: the lists, the sliders, the buttons; and Play runs until it is stopped."
    figure = show(cache_view(8, lines=4, length=2))
    order = figure.get_by_role('combobox', name='Loop order')
    order.focus()
    order.press('ArrowDown')
    assert check_cache(figure)['order'] == 'ikj'
    cache, step = (figure.get_by_role('slider', name=name) for name in ('Cache', 'Step'))
    cache.press('ArrowRight')
    assert check_cache(figure)['lines'] == 5 and cache.get_attribute('aria-valuetext') == '5 lines, 10 of 192 numbers'
    step.press('Home')
    assert check_cache(figure)['step'] == 0 and said(figure) == 'The cache is empty, and 512 multiply-adds are to come.'
    press(figure, 'Step')
    press(figure, 'Step', 'ArrowRight')
    press(figure, 'Back', 'Space')
    assert check_cache(figure)['step'] == 1 and said(figure).count('miss') == 3
    press(figure, 'Play')
    figure.page.wait_for_function('f => f.fastlesson.state.step > 5', arg=figure.element_handle())
    click(figure, 'Pause')
    stopped = check_cache(figure)['step']
    figure.page.wait_for_timeout(250)
    assert state(figure)['step'] == stopped


def test_cache_refused():
    for wrong, said in (dict(n=10), 'n is 10'), (dict(lines=2), 'lines is 2'), (dict(n=12, length=8), 'length is 8'), (dict(order='ijp'), "order is 'ijp'"), (dict(n=8, block=8), 'block is 8'):
        with pytest.raises(ValueError, match=said): cache_view(**wrong)


FAULTS = [   # in the script, and what is wrong with it: the check must notice each
    ('hit = cache.delete(line)', 'hit = cache.has(line)'),   # not the least recently used line goes, but the oldest
    ('cache.size > lines', 'cache.size >= lines'),   # a line fewer
    ('Math.floor((row * n + column) / length), hit', 'Math.floor((row * n + column + 1) / length), hit'),   # lines begin at the wrong number
    ('if (gone >= 2 * perMatrix) written++', ''),   # what is written is not counted
    ('written += dirty', 'written += 0'),   # nor what is left at the end
    ('steps[t][at == 0 ? 1 : 2]', 'steps[t][at == 1 ? 2 : 1]'),   # another number of c
    ("['i', 'k', 'j'].map", "['i', 'j', 'k'].map")]   # another order

@pytest.mark.parametrize('good, bad', FAULTS)
def test_planted(show, monkeypatch, good, bad): check_planted(show, monkeypatch, lambda: cache_view(8, lines=9, length=2, order='ikj', block=4), check_cache, good, bad)

def test_planted_formula(show, monkeypatch): check_planted(show, monkeypatch, lambda: cache_view(8), check_cache, 'n * n * row]', 'n * n * n]')
