"Wrong answers to the tasks of lesson 4 with words that the report must say, and right ones written in another way."
import math

import torch


def fans_without_area(w): return w.size(1), w.size(0)
def fans_area_once(w): return w[0].numel(), len(w)
def fans_turned(w): return w.numel() // w.shape[1], w.numel() // w.shape[0]
def fans_whole(w): return w.numel(), w.numel()

def fans_squared(w):
    area = w.shape[-1] * w.shape[-1] if w.ndim == 4 else 1
    return w.shape[1] * area, w.shape[0] * area

def fans_convolution_only(w): return w.shape[1] * w.shape[2] * w.shape[3], w.shape[0] * w.shape[2] * w.shape[3]


def lsuv_after(x, weights):
    scaled = []
    for w in weights:
        w = w / (x @ w).tanh().std()
        scaled.append(w)
        x = (x @ w).tanh()
    return scaled

def lsuv_unscaled(x, weights):
    scaled = []
    for w in weights:
        y = x @ w
        scaled.append(w / y.std())
        x = y.tanh()
    return scaled

def lsuv_unmended(x, weights):
    scaled = []
    for w in weights:
        x = (x @ w).tanh()
        scaled.append(w / x.std())
    return scaled

def lsuv_linear(x, weights):
    scaled = []
    for w in weights:
        scaled.append(w / (x @ w).std())
        x = x @ scaled[-1]
    return scaled

def lsuv_in_place(x, weights):
    for w in weights:
        w /= (x @ w).std()
        x = torch.tanh(x @ w)
    return weights

def lsuv_one(x, weights): return [weights[0] / (x @ weights[0]).std()]


def scale_of_moment(n_layers, growth): return (growth**(1 / n_layers) - 1)**.5
def scale_squared(n_layers, growth): return growth**(2 / n_layers) - 1
def scale_of_sizes(n_layers, growth): return math.exp(math.log(growth) / n_layers) - 1
def scale_small(n_layers, growth): return (math.log(growth**2) / n_layers)**.5
def scale_sum(n_layers, growth): return ((growth * growth - 1) / n_layers)**.5
def scale_of_depth(n_layers, growth): return n_layers**-.5


WRONG = {
    '04.1': [(fans_without_area, 'area of the kernel is missing'), (fans_area_once, 'fan-out is wrong in 2 of 5 cases. The area of the kernel is missing'), (fans_turned, 'inputs by outputs'),
             (fans_whole, 'wrong in'), (fans_squared, 'square of one of them'), (fans_convolution_only, 'IndexError')],
    '04.2': [(lsuv_after, 'after the activation'), (lsuv_unscaled, 'not scaled yet'), (lsuv_unmended, 'Both faults'), (lsuv_linear, 'passed no activation'),
             (lsuv_in_place, 'changes its argument `weights`'), (lsuv_one, '1 result instead of 3')],
    '04.3': [(scale_of_moment, 'second moment grow by the factor'), (scale_squared, 'take the root'), (scale_of_sizes, 'add up, not sizes'),
             (scale_small, 'small $c$ only'), (scale_sum, 'factors of the layers multiply'), (scale_of_depth, 'depend on the growth')],
}

def lsuv_other(x, weights):
    scaled = []
    for w in weights:
        y = x @ w
        s = y.var()**.5
        scaled.append(w.div(s))
        x = (y / s).tanh()
    return scaled

OTHER = {
    '04.1': lambda w: (w.numel() // len(w), w.numel() // w.shape[1]),
    '04.2': lsuv_other,
    '04.3': lambda n_layers, growth: math.expm1(2 * math.log(growth) / n_layers)**.5,
}
