"The graph view of lesson 8: every value and every gradient against the lesson's tape, and what is typed wrongly."
import ast
import math
import random

import pytest
import torch
from torch.testing import assert_close

from fastlesson.autograd import Var
from fastlesson.figures import graph_view
from figure_page import CLOSE, check_planted, click, said, state, t64

DEFAULT = graph_view().options['expression']
DIAMOND, TWICE, CHAIN = 'q = x * x; q * q', '(a + b) * a', 'log(1 + exp(-x))'


def on_tape(expression, numbers):
    "Every value of the expression as a `Var` of the lesson, in the order in which they are made, after a backward pass."
    names, made = {name: Var(t64(v)) for name, v in numbers.items()}, []
    def run(part):
        match part:
            case ast.Assign(): names[part.targets[0].id] = run(part.value); return None
            case ast.Expr(): return run(part.value)
            case ast.Constant(): return part.value
            case ast.Name(): return names[part.id]
            case ast.Call(): value = getattr(run(part.args[0]), part.func.id)()
            case ast.UnaryOp(): value = -run(part.operand)
            case ast.BinOp(): value = {'Add': lambda a, b: a + b, 'Sub': lambda a, b: a - b, 'Mult': lambda a, b: a * b,
                                       'Div': lambda a, b: a / b, 'Pow': lambda a, b: a**b}[type(part.op).__name__](run(part.left), run(part.right))
        if isinstance(value, Var): made.append(value)
        return value
    leaves, result = list(names.values()), [run(part) for part in ast.parse(expression).body][-1]
    result.backward(keep=True)
    return leaves + made


def check_graph(figure, expression=None):
    "Values and gradients are those of the tape, at every value, and the steps lead there."
    if expression: write(figure, expression)
    s = state(figure)
    assert not expression or s['expression'] == expression, said(figure)
    ours = on_tape(s['expression'], s['numbers'])
    assert len(s['values']) == len(ours)
    assert_close(t64([v['value'] for v in s['values']]), t64([v.value.item() for v in ours]), **CLOSE)
    assert_close(t64([v['grad'] for v in s['values']]), t64([v.grad.item() for v in ours]), **CLOSE)
    for v in s['values']: assert math.isclose(sum(v['parts']), v['grad'], rel_tol=1e-12, abs_tol=1e-12)
    made = [v['id'] for v in s['values'] if v['op']]
    assert [visit['from'] for visit in s['visits']] == made[::-1] and s['count'] == 2 * len(made)   # each once, the youngest first
    return s


def field(figure): return figure.get_by_role('textbox', name='Expression')
def write(figure, expression): field(figure).fill(expression)
def choose(figure, label, text): figure.get_by_role('combobox', name=label).select_option(label=text)


def expression(rand, room):
    "A random expression of a, b, c with at most `room` operations."
    if room == 0: return rand.choice(['a', 'b', 'c', 'a', 'b', 'c', '2', '.5'])
    kind = rand.choice(['+', '-', '*', '/', '**', 'neg', 'exp', 'log', 'relu'])
    if kind in '+-*/':
        left = rand.randrange(room)
        return f'({expression(rand, left)}) {kind} {expression(rand, room - 1 - left)}' if rand.random() < .3 else f'({expression(rand, left)} {kind} ({expression(rand, room - 1 - left)}))'
    inner = expression(rand, room - 1)
    return {'**': f'({inner})**{rand.choice(["2", "3", "-1", ".5"])}', 'neg': f'-({inner})'}.get(kind, f'{kind}({inner})')


def test_opens_where_a_second_contribution_arrives(show):
    figure = show(graph_view())
    s = check_graph(figure)
    assert s['expression'] == DEFAULT and s['step'] == s['telling'] == 9 and s['order'] == 'youngest'
    assert field(figure).evaluate('e => e.scrollWidth <= e.clientWidth'), 'the expression is cut off'
    assert 'y has 1.5' in said(figure) and '1 + 0.5' in figure.locator('svg g[data-name=y]').text_content()


@pytest.mark.parametrize('text', [DEFAULT, DIAMOND, TWICE, CHAIN, 'x * y + relu(x)', '-x**2', '2 - x / 3 * x', '(1 + 2) * x - -x', 'x**-.5 / 2', 'a*b + c*d',
                                  'p = exp(a); q = p / (p + b); q * q - log(p)', '((a + b) * (c + d)) / ((a - b) * (c - d))', '1/x - 2 + 1e-1*x', 'relu(-x) + relu(x) + x**0'])
def test_every_value(show, text): check_graph(show(graph_view()), text)


def test_random_expressions(show):
    if (figure := show(graph_view(TWICE, a=.7, b=1.3))).page.viewport_size['width'] < 1000: pytest.skip('the numbers do not depend on the width')
    write(figure, 'a * b + c')
    figure.get_by_role('spinbutton', name='Value of c').fill('-0.4')
    rand, checked = random.Random(8), 0
    while checked < 60:
        body = expression(rand, rand.randrange(1, 6))
        text = f'q = {body}; {rand.choice(["q * q + a", "q + exp(q / 4)", "a - q * relu(q)"])}' if rand.random() < .4 else body
        try: graph_view(text)
        except ValueError: continue
        try: tape = on_tape(text, {'a': .7, 'b': 1.3, 'c': -.4})
        except (ArithmeticError, AttributeError): continue   # numbers alone, or a part that the result doesn't need
        sizes = [abs(n) for v in tape if v.grad is not None for n in (v.value.item(), v.grad.item())]
        if not max(sizes) < 1e6 or any(map(math.isnan, sizes)): continue
        check_graph(figure, text)
        checked += 1


def test_steps(show):
    figure = show(graph_view(DIAMOND, x=3))
    s = check_graph(figure)
    assert s['numbers'] == {'x': 3} and s['values'][0]['grad'] == 108
    click(figure, 'Reset')
    told = []
    for _ in range(4): click(figure, 'Step'); told.append(said(figure))
    assert told[0] == 'Forwards: q is 9.' and told[1] == 'Forwards: the result is 81.'
    assert 'q gets 1 × 9 = 9, q gets 1 × 9 = 9. It adds up: q has 18.' in told[2] and 'It adds up: x has 108.' in told[3]
    figure.get_by_role('button', name='Step', exact=True).press('ArrowLeft')
    assert state(figure)['step'] == 3
    slider = figure.get_by_role('slider', name='Step')
    slider.press('Home')
    assert state(figure)['step'] == 0 and said(figure).startswith('Every variable has its value')
    slider.press('End')
    figure.get_by_role('spinbutton', name='Value of x').fill('2')
    assert check_graph(figure)['values'][0]['grad'] == 32
    assert '32' in figure.locator('svg').get_attribute('aria-label')


def test_plays(show):
    figure = show(graph_view(DIAMOND, x=3))
    click(figure, 'Reset')
    click(figure, 'Play')
    figure.page.wait_for_function('f => f.fastlesson.state.step == 4', arg=figure.element_handle(), timeout=20_000)


@pytest.mark.parametrize('text, message', [
    ('(a + b', 'At the end: a ) is missing for “(” at character 1.'), ('a + ', 'At the end: here we need a name'), ('a b', 'Character 3, “b”: an operator is missing'),
    ('a + % b', 'Character 5, “%”: here we need'), ('sin(a)', 'Character 4, “(”: we have the functions exp, log and relu.'), ('a**b', 'Character 2, “**”: the exponent must be a number'),
    ('exp a', 'Character 5, “a”: exp needs a (.'), ('2 * 3', 'the last part must be an operation on a variable'), ('a', 'the last part'), ('q = a; q * q', 'Character 1, “q”: only a new value'),
    ('q = a * b; a + b', 'q leads nowhere'), ('x + 1e999', 'Character 5, “1e999”: this number is too large'), ('', 'At the end: here we need'), ('variable + 1', 'at most 6'),
    ('+'.join(['x * x'] * 8), 'room for 14'), ('exp(' * 7 + 'x' + ')' * 7, '8 values in a row'), ('a + b + c + d + e', '5 variables'), ('x = x * x; x + 1', 'this name is taken'), ('q = x * x', 'after a named value')])
def test_typing_errors(show, text, message):
    figure = show(graph_view())
    before, picture = state(figure), figure.locator('svg').inner_html()
    write(figure, text)
    assert message in said(figure) and field(figure).get_attribute('aria-invalid') == 'true'
    assert state(figure) == before and figure.locator('svg').inner_html() == picture
    with pytest.raises(ValueError, match='expression|finite'): graph_view(text)   # Python refuses the same
    write(figure, TWICE)
    assert field(figure).get_attribute('aria-invalid') is None
    check_graph(figure)


def test_examples(show):
    figure = show(graph_view())
    for title, text in {'used twice': TWICE, 'a diamond': DIAMOND, 'a chain': CHAIN, 'residual layers': DEFAULT}.items():
        choose(figure, 'Example', title)
        assert field(figure).input_value() == check_graph(figure)['expression'] == text
    write(figure, 'x * x')
    assert figure.get_by_role('combobox', name='Example').locator('option:checked').inner_text() == 'your own'


def grads(figure): return {v['id']: v['grad'] for v in state(figure)['values']}

def test_graph_view_as_the_lesson_says(show):
    figure = show(graph_view())
    right = {v['id']: v['parts'] for v in state(figure)['values']}
    assert right['x'] == [1.5, .75] and right['y'] == [1, .5]
    choose(figure, 'Backwards', 'as discovered')
    wrong = grads(figure)
    assert wrong['x'] == 1.5 and 'Wrong in the end: x, w.' in said(figure) and figure.locator('svg text', has_text='✗').count() >= 2
    assert state(figure)['visits'][1]['from'] == 'y' and 'Too early: y still misses 0.5.' in said_at(figure, 8)
    for title in ('used twice', 'a diamond', 'a chain'):   # there the order of discovery does no harm
        choose(figure, 'Example', title)
        discovered = grads(figure)
        choose(figure, 'Backwards', 'youngest first')
        assert grads(figure) == discovered
        choose(figure, 'Backwards', 'as discovered')
    choose(figure, 'Backwards', 'youngest first')
    choose(figure, 'Example', 'used twice')
    assert state(figure)['values'][0]['parts'] == [5, 2]   # of a: the sum, and then a through the sum

def said_at(figure, step):
    figure.evaluate('(f, t) => f.fastlesson.go(t)', step)
    return said(figure)


FAULTS = [   # in the script, and the check that must notice each
    ('parts.get(to).push(part)', 'parts.set(to, [part])'),            # no accumulation
    ('-a / b ** 2', 'a / b ** 2'),                                    # the slope of a quotient
    ("order == 'youngest'", "order == 'oldest'"),                     # a wrong order
    ('a <= 0 ? 0 : 1', '1'),                                          # ReLU passes everything on
    ("make('neg', [(take(), factor())])", "make('neg', [(take(), atom())])")]   # −x² as (−x)²

def check_all(figure):
    for text in (DEFAULT, 'a / b + relu(-a)', '-x**2'): check_graph(figure, text)

@pytest.mark.parametrize('good, bad', FAULTS)
def test_planted(show, monkeypatch, good, bad): check_planted(show, monkeypatch, graph_view, check_all, good, bad)
