"What the tests of the figures share: a page that shows some, what a figure knows and says, and one of each kind."
import json

import pytest
import torch

from fastlesson import figures
from fastlesson.data import load_data
from fastlesson.figures import backward_pass, cache_view, digit_reader, graph_view, init_explorer, init_layer, matmul_race, matmul_stepper, pixel_view, ring_view, step_slider, training_view
from fastlesson.measure import recorded

A, B = torch.tensor([[1., 2., 3.], [4., 5., 6.]]), torch.tensor([[7., 10.], [8., 11.], [9., 12.]])
# Both sides compute in float64 and add in another order. Sums here are of at most some hundred terms, a few layers deep:
# about 1e-13 of the terms' size, and cancellation may cost a few digits more.
CLOSE = dict(rtol=1e-9, atol=1e-12)


def html(*figures, ink='#24292f', paper='#fff'):
    body = '\n'.join(f._repr_html_() for f in figures)
    return ('<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>Figures</title><body style="margin: 1rem; font-family: system-ui; color: {ink}; background: {paper}">{body}</body></html>')


def new_page(browser, **options):
    "A page of a browser; in `faults` is what went wrong on it."
    page = browser.new_page(**options)
    page.faults = faults = []
    page.on('console', lambda m: faults.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('pageerror', lambda e: faults.append(str(e)))
    return page


def opened(page):
    "Wait until every figure stands where it opens: some compute that once they are in sight."
    for figure in page.locator('[data-kind=training_view]').all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function('f => f.fastlesson.state.step', arg=figure.element_handle())


def state(figure):
    "All that a figure knows, as Python objects."
    return json.loads(figure.evaluate('f => JSON.stringify(f.fastlesson.state, (_, v) => ArrayBuffer.isView(v) ? [...v] : v)'))

def click(figure, name): figure.get_by_role('button', name=name, exact=True).click()
def press(figure, name, key='Enter'): figure.get_by_role('button', name=name, exact=True).press(key)
def slide(figure, name, value):
    figure.get_by_role('slider', name=name).evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})) }", value)
def said(figure): return figure.locator('.say').inner_text()
def t64(rows): return torch.tensor(rows, dtype=torch.float64)

def shown(x, digits=4):
    "A number as the figures write it (those that are not very large or small)."
    return f'{x:.{digits}g}'.replace('-', '−')


def luminance(r, g, b):
    "Relative luminance (WCAG 2.1) of a colour from 0 to 1."
    return sum(k * (v / 12.92 if v <= .03928 else ((v + .055) / 1.055)**2.4) for k, v in zip((.2126, .7152, .0722), (r, g, b)))


def of_pixel_view():
    raw = load_data('digits', normalize=False, device='cpu')
    return pixel_view(raw.x_train, raw.mean, raw.std, {'the validation set': (raw.x_valid.mean(), raw.x_valid.std())})

def of_matmul_race(): return matmul_race(recorded('ladder')[0], '5×784 @ 784×10')


ALL = [   # one of each kind, as its lesson shows it; a line each
    step_slider,
    of_pixel_view,
    of_matmul_race,
    lambda: matmul_stepper(A, B),
    init_explorer,
    backward_pass,
    graph_view,
    training_view,
    cache_view,
    ring_view,
    digit_reader,
    init_layer,
]


def check_planted(show, monkeypatch, figure, check, good, bad, script=None):
    "The check would notice a mistake in the figure's script: `good` made `bad`."
    read, script = figures._file, script or f'{figure().kind}.js'
    root = show(figure())
    check(root)
    assert read(script).count(good) == 1
    monkeypatch.setattr(figures, '_file', lambda name: read(name).replace(good, bad))
    root = show(figure())
    with pytest.raises(AssertionError): check(root)
