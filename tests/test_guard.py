"What the lessons' functions say about arguments that are none of theirs."
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from fastlesson.backprop import forward_backward, linear_grad, mse_grad, relu_grad
from fastlesson.depth import layer_stats
from fastlesson.distributed import allreduce_time, column_linear, fit_parallel, mean_gradients, row_linear, spawn
from fastlesson.figures import (Figure, backward_pass, cache_view, digit_reader, graph_view, init_explorer, init_layer, pixel_view, predict,
                                ring_view, show_images, step_slider, training_view)
from fastlesson.forward import Params, check_inputs, forward, linear, mse, relu
from fastlesson.gradcheck import check_grads
from fastlesson.init import init_params, monte_carlo
from fastlesson.layers import Linear, Model
from fastlesson.measure import measure
from fastlesson.train import SGD, CrossEntropy, accuracy, cross_entropy, cross_entropy_grad, fit, log_softmax

PARAMS = Params(torch.ones(2, 3), torch.ones(3), torch.ones(3, 1), torch.ones(1))
CALLS = {   # with something that is no tensor
    'linear': lambda bad: linear(bad, *PARAMS[:2]), 'w of linear': lambda bad: linear(torch.ones(2, 2), bad, PARAMS.b1),
    'relu': relu, 'forward': lambda bad: forward(bad, PARAMS), 'mse': lambda bad: mse(bad, torch.ones(2)),
    'target of mse': lambda bad: mse(torch.ones(2, 1), bad), 'check_inputs': lambda bad: check_inputs(bad, torch.ones(2), PARAMS),
    'forward_backward': lambda bad: forward_backward(bad, torch.ones(2), PARAMS),
    'mse_grad': lambda bad: mse_grad(bad, torch.ones(2)), 'target of mse_grad': lambda bad: mse_grad(torch.ones(2, 1), bad),
    'relu_grad': lambda bad: relu_grad(bad, torch.ones(2, 2)), 'linear_grad': lambda bad: linear_grad(bad, PARAMS.w1, torch.ones(2, 3)),
    'params': lambda bad: forward_backward(torch.ones(2, 2), torch.ones(2), PARAMS._replace(w1=bad)),
    'monte_carlo': lambda bad: monte_carlo(bad, 3), 'layer_stats': lambda bad: layer_stats(bad, [torch.ones(2, 2)]),
    'weights of layer_stats': lambda bad: layer_stats(torch.ones(2, 2), [bad]), 'Linear': lambda bad: Linear(*PARAMS[:2])(bad),
    'log_softmax': log_softmax, 'CrossEntropy': lambda bad: CrossEntropy()(bad, torch.tensor([0, 1])),
    'cross_entropy': lambda bad: cross_entropy(bad, torch.tensor([0, 1])), 'target of cross_entropy': lambda bad: cross_entropy(torch.ones(2, 2), bad),
    'column_linear': lambda bad: column_linear(bad, *PARAMS[:2]), 'row_linear': lambda bad: row_linear(bad, *PARAMS[:2]),
    'mean_gradients': lambda bad: mean_gradients([bad], 1), 'images of show_images': show_images,
    'cross_entropy_grad': lambda bad: cross_entropy_grad(bad, torch.tensor([0, 1])), 'accuracy': lambda bad: accuracy(bad, torch.tensor([0, 1]))}


@pytest.mark.parametrize('name', CALLS)
@pytest.mark.parametrize('bad, called', [(np.ones((2, 2), np.float32), 'numpy.ndarray'), ([[1., 1.], [1., 1.]], 'list'), (None, 'NoneType'), (1., 'float')], ids=['array', 'list', 'None', 'float'])
def test_what_is_no_tensor_is_called_so(name, bad, called):
    with pytest.raises(ValueError, match=rf'\w+(\[0\])? is a {called}.*; torch.as_tensor makes a tensor of a list or an array'): CALLS[name](bad)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64, torch.bool, torch.complex64], ids=str)
@pytest.mark.parametrize('name', [name for name in CALLS if ' of ' not in name])
def test_what_is_not_floating_is_refused(name, dtype):
    with pytest.raises(ValueError, match=rf'{dtype}.* floating dtype'): CALLS[name](torch.ones(2, 2, dtype=dtype))


def test_params_of_any_kind():
    "Four tensors in order are parameters, whatever holds them; names are no tensors, and three are not enough."
    x, target = torch.ones(2, 2), torch.ones(2)
    for params in (tuple(PARAMS), list(PARAMS)):
        assert torch.equal(forward(x, params), forward(x, PARAMS))
        assert torch.equal(forward_backward(x, target, params)[0], forward_backward(x, target, PARAMS)[0])
    with pytest.raises(ValueError, match='w1 is a str'): forward_backward(x, target, PARAMS._asdict())
    with pytest.raises(ValueError, match='there are 5 tensors: they must be x .*, b2'): forward_backward(x, target, PARAMS[:3])


def test_log_softmax_takes_rows():
    for shape in ((3,), (2, 3, 4)):
        with pytest.raises(ValueError, match=r'it must be \(n, k\)'): log_softmax(torch.ones(shape))


def test_layers_that_change_the_shape_are_refused_by_number():
    with pytest.raises(ValueError, match=r'x is \(2, 3\).*weights\[1\] is \(4, 4\)'): layer_stats(torch.ones(2, 3), [torch.ones(3, 3), torch.ones(4, 4)])
    with pytest.raises(ValueError, match=r'weights\[0\] is \(3,\)'): layer_stats(torch.ones(2, 3), [torch.ones(3)])


def test_arguments_that_are_no_numbers():
    with pytest.raises(ValueError, match='gains is 2.0: it must be two numbers'): init_params(2, 3, 1, gains=2.)
    with pytest.raises(ValueError, match="dtype is 'float32': it must be a floating one"): init_params(2, 3, 1, dtype='float32')
    with pytest.raises(ValueError, match='lr is inf'): SGD([torch.ones(2)], math.inf)
    x, y = torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)
    for wrong in (PARAMS, torch.nn.Linear(2, 2), list(PARAMS)):
        with pytest.raises(TypeError, match='model is a .*: it must be a Model of lesson 7'): fit(wrong, x, y, x, y)


X, Y = torch.rand(4, 784), torch.zeros(4, dtype=torch.int64)
def checked(**options): return check_grads(torch.relu, relu_grad, torch.ones(2, 3), **options)
def trained(fit=fit, **options): return fit(Model([Linear(torch.zeros(784, 3), torch.zeros(3))], CrossEntropy()), X, Y, X, Y, **{'epochs': 1} | options)
def timed(**options): return measure({'a': int}, **{'seconds': .001, 'rounds': 1} | options)
def link(**options): return allreduce_time(**{'n_bytes': 8., 'ranks': 2, 'alpha': 1., 'beta': 1.} | options)
def none(**options): raise AssertionError('a number that is none starts nothing')

WHOLE = [(init_layer, 'n_in', 16), (init_layer, 'n_out', 16), (init_explorer, 'depth', 8), (init_explorer, 'width', 16), (cache_view, 'n', 8),
         (cache_view, 'lines', 3), (cache_view, 'length', 2), (cache_view, 'block', 2), (ring_view, 'ranks', 3), (digit_reader, 'digit', 7),
         (lambda n_cols: show_images(X, n_cols=n_cols), 'n_cols', 2), (checked, 'max_entries', 2), (checked, 'seed', 2), (trained, 'epochs', 2),
         (trained, 'batch_size', 2), (trained, 'seed', 2), (timed, 'rounds', 2), (timed, 'threads', 2), (link, 'ranks', 2),
         (lambda rows: forward_backward(torch.ones(2, 2), torch.ones(2), PARAMS, rows), 'rows', 2)]
REAL = [(init_layer, 'std', .5), (init_explorer, 'gain', .5), (step_slider, 'x', .5), (step_slider, 'step', .5), (training_view, 'rate', .3), (ring_view, 'n_bytes', 1e6),
        (ring_view, 'alpha', .5), (ring_view, 'beta', .5), (backward_pass, 'target', .5), (lambda x: backward_pass((x, 1.)), 'x', .5), (lambda x: graph_view('x * x', x=x), 'x', .5),
        (lambda mean: pixel_view(X, mean, 1.), 'mean', .5), (lambda std: pixel_view(X, 0., std), 'std', .5), (lambda within: predict('?', 2, '!', within=within), 'within', 2.),
        (lambda lr: SGD([torch.ones(2)], lr), 'lr', .5), (lambda momentum: SGD([torch.ones(2)], .1, momentum), 'momentum', .5),
        (timed, 'seconds', .001), (link, 'n_bytes', .5), (link, 'alpha', .5), (link, 'beta', .5)]
STARTS = [(lambda **n: spawn(none, **{'world_size': 1} | n), 'world_size'), (lambda **n: spawn(none, 1, **n), 'threads'), (lambda rows: mean_gradients([torch.ones(2)], rows), 'rows'),
          (lambda **n: trained(fit_parallel, **n), 'epochs'), (lambda **n: trained(fit_parallel, **n), 'batch_size'), (lambda **n: trained(fit_parallel, **n), 'seed')]   # what needs processes


@pytest.mark.parametrize('fn, name, plain, kinds', [(*row, (np.int32, np.int64, torch.tensor)) for row in WHOLE] + [(*row, (np.float32, np.float64, torch.tensor)) for row in REAL])
def test_numbers_of_any_kind(fn, name, plain, kinds):
    "NumPy's numbers and tensors of one are numbers, also for a figure, which has to write them as JSON."
    for kind in kinds:
        found = fn(**{name: kind(plain)})
        plt.close()
        if isinstance(found, Figure): assert found._repr_html_() == fn(**{name: plain})._repr_html_()


@pytest.mark.parametrize('fn, name, bad', [(fn, name, bad) for fn, name, *_ in WHOLE + STARTS for bad in (2.5, math.nan, -1, '2', None) if (name, bad) != ('threads', None)]
                         + [(fn, name, bad) for fn, name, _ in REAL for bad in (math.nan, math.inf, '2', None)]
                         + [(lambda timeout: spawn(none, 1, timeout=timeout), 'timeout', bad) for bad in (math.nan, math.inf, 0.)])
def test_numbers_that_are_none(fn, name, bad):
    "Fractions of a layer, infinities and texts are refused at once, by the name of their argument."
    with pytest.raises(ValueError, match=rf'^{name}(\[0\])? is {bad!r}: it must be '): fn(**{name: bad})
