"The ring view of lesson 12: who holds which sums, what passes each link, the time by the lesson's model, and what the lesson says of it."
import math

import pytest
import torch
import torch.distributed as dist

from fastlesson.distributed import allreduce_time, ring_all_reduce, spawn
from fastlesson.figures import ring_view
from figure_page import check_planted, press, said, slide, state

ALPHA, BETA = 20e-6, 1e-10


def go(figure, step): figure.evaluate('(f, step) => f.fastlesson.go(step)', step)
def show_split(figure): figure.get_by_role('combobox', name='Show').select_option('split')


def holds(p, rank, part, steps):
    "Whose numbers a part has: a part's sum starts at the rank of its number, and goes on to the right, a rank a step."
    away = (rank - part) % p   # steps until the sum gets there, first growing and then, a round later, complete
    if steps >= p - 1 and (rank - part + 1) % p <= steps - (p - 1): return set(range(p))
    return {(part + i) % p for i in range(away + 1)} if 0 < away <= steps else {rank}

def check_ring(figure):
    s = state(figure)
    p, steps = s['ranks'], s['count']
    assert s['mode'] == 'ring' and steps == 2 * (p - 1)
    for step in range(steps + 1):
        go(figure, step)
        s = state(figure)
        assert s['step'] == step and len(s['sent']) == (p if step else 0)
        for rank in range(p):
            for part in range(p): assert set(s['held'][rank][part]) == holds(p, rank, part, step), (p, step, rank, part)
        drawn = figure.locator('.stage rect').count()   # a box for each part of each rank, and a stripe for each rank that is in it
        assert drawn == p * p + sum(len(whose) for parts in s['held'] for whose in parts) and figure.locator('.stage path').count() == len(s['sent'])
        for sent in s['sent']: assert sent['to'] == (sent['from'] + 1) % p and sent['part'] == (sent['from'] - step + 1) % p
        assert s['sofar']['messages'] == step and math.isclose(s['sofar']['bytes'], step * s['n_bytes'] / p)
        assert math.isclose(s['sofar']['time'], step * (ALPHA + s['n_bytes'] / p * BETA), abs_tol=1e-15)
    assert all(whose == list(range(p)) for parts in s['held'] for whose in parts)
    check_costs(s, 1)
    return s

def check_costs(s, times):
    p, n = s['ranks'], s['n_bytes']
    assert math.isclose(s['end']['time'], times * allreduce_time(n, p, ALPHA, BETA))
    assert math.isclose(s['end']['bytes'], times * 2 * (p - 1) / p * n) and s['end']['messages'] == times * 2 * (p - 1)
    assert math.isclose(s['root']['time'], times * 2 * (p - 1) * (ALPHA + n * BETA)) and math.isclose(s['root']['bytes'], times * 2 * (p - 1) * n)

def check_split(figure):
    show_split(figure)
    for step, added in enumerate([0, 0, 0, 1, 1, 1, 2]):
        go(figure, step)
        s = state(figure)
        assert s['mode'] == 'split' and s['count'] == 6 and s['sofar']['messages'] == added * 2 * (s['ranks'] - 1)
        assert math.isclose(s['sofar']['time'], added * allreduce_time(s['n_bytes'], s['ranks'], ALPHA, BETA), abs_tol=1e-15)
    assert s['held'] == {'X': 'whole', 'W': 'part', 'H': 'part', 'V': 'part', 'Y': 'sum', '∂H': 'part', '∂X': 'sum'}
    check_costs(s, 2)


@pytest.mark.parametrize('p', [2, 3, 4, 8])
def test_ring_view(show, p):
    figure = show(ring_view())
    slide(figure, 'Ranks', p)
    slide(figure, 'Tensor', 4.5)
    assert math.isclose(check_ring(figure)['n_bytes'], 10**4.5)
    check_split(figure)


def sends(rank):
    "What this rank sends, and that it goes to the right: bit r of a number says that rank r's is in it."
    sent, talk = [], dist.batch_isend_irecv
    def record(ops):
        sent.extend((int(op.tensor.item()), op.peer) for op in ops if op.op is dist.isend)
        return talk(ops)
    dist.batch_isend_irecv = record
    total = ring_all_reduce(torch.full((dist.get_world_size(),), 2.**rank))
    return sent, total.tolist()

def test_ring_view_is_the_lesson(show):
    "Each step sends what `ring_all_reduce` sends."
    figure, answers = show(ring_view(3)), spawn(sends, 3)
    for step in range(1, 5):
        go(figure, step - 1)
        before = state(figure)['held']
        go(figure, step)
        for sent in state(figure)['sent']:
            bits = sum(2**r for r in before[sent['from']][sent['part']])
            assert (bits, sent['to']) == answers[sent['from']][0][step - 1]
    assert all(total == [7.] * 3 for _, total in answers)


def test_ring_view_by_hand(show):
    figure = show(ring_view())
    assert state(figure)['step'] == 3 and 'reduce-scatter' in said(figure)
    press(figure, 'Step')
    press(figure, 'Step', 'ArrowRight')
    assert state(figure)['step'] == 5
    ranks = figure.get_by_role('slider', name='Ranks')
    ranks.press('ArrowRight')
    assert state(figure)['ranks'] == 5 and ranks.get_attribute('aria-valuetext') == '5'
    press(figure, 'Reset')
    assert said(figure).startswith('Each rank has numbers of its own, in 5 parts')


def test_ring_view_as_the_lesson_says(show):
    figure = show(ring_view())
    def sent(): return state(figure)['end']['bytes']
    assert sent() == 1.5e6
    slide(figure, 'Ranks', 8)
    s = state(figure)
    assert sent() == 1.75e6 and s['root']['bytes'] == 14e6
    assert round(1e6 * s['end']['time']) == 455   # exercise 3
    slide(figure, 'Tensor', 3)
    assert .99 < 14 * ALPHA / state(figure)['end']['time'] < 1
    show_split(figure)
    quiet = []
    for step in range(1, 7):
        go(figure, step)
        if 'Nobody talks' in said(figure): quiet.append(step)
    assert quiet == [1, 2, 4, 5]


@pytest.mark.parametrize('name, value', [('ranks', 1), ('ranks', 9), ('n_bytes', 12.), ('alpha', 0.), ('beta', -1.)])
def test_ring_view_refused(name, value):
    with pytest.raises(ValueError, match=f'{name} is {value}'): ring_view(**{name: value})


FAULTS = [   # in the script, and the check that must notice each
    (check_ring, '(rank - step + 2 * p) % p', '(rank + step) % p'),   # another part than the one that has just arrived
    (check_ring, 'adds: step < p - 1', 'adds: step < p'),   # adds once too often
    (check_ring, '[...before[to][part], ...before[from][part]].sort()', 'before[from][part]'),   # replaces and doesn't add
    (check_ring, 'time: n * (alpha + message * beta)', 'time: n * (alpha + bytes * beta)'),
    (check_split, "{gives: 'Y', as: 'sum', talks: true", "{gives: 'Y', as: 'sum'")]

@pytest.mark.parametrize('check, good, bad', FAULTS)
def test_planted(show, monkeypatch, check, good, bad): check_planted(show, monkeypatch, lambda: ring_view(3), check, good, bad)
