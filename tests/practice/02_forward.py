"Wrong answers to the tasks of lesson 2 with words that the report must say, and right ones written in another way."
import torch
import torch.nn.functional as F


def no_kink(x, weight, bias): return x.matmul(weight).add(bias)
def kink_first(x, weight, bias): return F.relu(x @ weight).add(bias)
def without_bias(x, weight, bias): return F.relu(torch.einsum('nd,d->n', x, weight))
def kink_inside(x, weight, bias): return F.relu(x * weight[None]).sum(-1) + bias
def neuron_column(x, weight, bias): return F.relu(x @ weight[:, None] + bias)
def neuron_looped(x, weight, bias): return torch.stack([sum((row[k] * weight[k] for k in range(len(weight))), bias).relu() for row in x])


def near_b(a, b): return b - a, (a.square().sum() - b.square().sum()) / 2
def without_half(a, b): return a - b, b.square().sum() - a.square().sum()
def bias_turned(a, b): return a - b, (a @ a - b @ b) / 2
def lengths(a, b): return a - b, ((b @ b)**.5 - (a @ a)**.5) / 2
def midpoint(a, b): return a - b, (b.square() - a.square()) / 2
def doubled(a, b): return 2 * (a - b), (b @ b - a @ a) / 2


def only_order(output, target): return torch.mean(torch.abs(output - target))
def only_shape(output, target): return (output.flatten() - target).mean().abs()
def squared(output, target): return F.mse_loss(output[:, 0], target)
def summed(output, target): return (output[:, 0] - target).abs().sum()
def each(output, target): return (output[:, 0] - target).abs()
def kept_dimension(output, target): return (output - target[:, None]).abs().mean(0)


def no_first_bias(w1, b1, w2, b2): return w1.matmul(w2), b2.clone()
def biases_added(w1, b1, w2, b2): return torch.einsum('dh,hm->dm', w1, w2), b1 @ w2
def through_second(w1, b1, w2, b2): return w1 @ w2, (b1[:, None] * w2).sum(0)
def bias_column(w1, b1, w2, b2): return w1 @ w2, (b1 @ w2 + b2)[:, None]
def weight_turned(w1, b1, w2, b2): return w2.T @ w1.T, b1 @ w2 + b2
def swapped(w1, b1, w2, b2): return b1 @ w2 + b2, w1 @ w2


def slopes_not_changes(x, knots, values):
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    return values[0] + F.relu(x.unsqueeze(1) - knots[:-1]) @ slopes

def from_zero(x, knots, values):
    slopes = torch.diff(values) / torch.diff(knots)
    return F.relu(x.unsqueeze(1) - knots[:-1]) @ torch.cat([slopes[:1], slopes.diff()])

def steps_not_slopes(x, knots, values):
    steps = torch.diff(values)
    return values[0] + F.relu(x.unsqueeze(1) - knots[:-1]) @ torch.cat([steps[:1], steps.diff()])

def no_relu(x, knots, values):
    slopes = torch.diff(values) / torch.diff(knots)
    return values[0] + (x.unsqueeze(1) - knots[:-1]) @ torch.cat([slopes[:1], slopes.diff()])

def unaligned(x, knots, values):
    slopes = torch.diff(values) / torch.diff(knots)
    return values[0] + F.relu(x - knots[:-1]) @ torch.cat([slopes[:1], slopes.diff()])


def deep(x, layers, act=F.relu, bias=True):
    for w, b in layers: x = act(x @ w + b * bias)
    return x

def deep_relu_at_end(x, layers): return deep(x, layers)
def deep_linear(x, layers): return deep(x, layers, act=lambda v: v)
def deep_relu_at_end_without_biases(x, layers): return deep(x, layers, bias=False)

def deep_relu_at_start(x, layers):
    for w, b in layers: x = F.relu(x) @ w + b
    return x

def deep_without_biases(x, layers):
    for i, (w, _) in enumerate(layers): x = x @ w if i == len(layers) - 1 else F.relu(x @ w)
    return x

def deep_returns_early(x, layers):
    for w, b in layers: return x @ w + b


WRONG = {
    '02.1': [(no_kink, 'ReLU is missing'), (kink_first, 'too late'), (without_bias, 'bias is missing'), (kink_inside, 'too early'),
             (neuron_column, 'not their shape'), (neuron_looped, 'it loops, where whole tensors would do')],
    '02.2': [(near_b, 'belongs to a neuron that is on near `b`'), (without_half, 'half of the difference'), (bias_turned, 'sign is the wrong way round'), (lengths, 'not the lengths'),
             (midpoint, 'one number'), (doubled, 'too large by the factor 2')],
    '02.3': [(only_order, 'compared with each target'), (only_shape, 'cancel'), (squared, 'this is the MSE'),
             (summed, 'too large by the factor `len(output)`'), (each, 'mean is missing'), (kept_dimension, 'not their shape')],
    '02.4': [(no_first_bias, 'pass through the second weight'), (biases_added, 'second bias is missing'), (through_second, 'second bias is missing'),
             (bias_column, 'not their shape'), (weight_turned, 'transposed'), (swapped, 'what the bias should be')],
    '02.5': [(slopes_not_changes, '*change* of the slope'), (from_zero, 'height of the first point'), (steps_not_slopes, 'how far the knots'),
             (no_relu, 'straight line'), (unaligned, 'raises')],
    '02.6': [(deep_relu_at_end, 'after the last layer'), (deep_relu_at_end_without_biases, 'after the last layer, too: its outputs may be negative. The biases are missing.'), (deep_linear, 'collapse into one'), (deep_relu_at_start, 'inputs pass a ReLU'),
             (deep_without_biases, 'biases are missing'), (deep_returns_early, 'Only the first layer')],
}
OTHER = {
    '02.1': lambda x, weight, bias: F.relu((x * weight).sum(1) + bias),
    '02.2': lambda a, b: (-(b - a), -torch.dot(a - b, (a + b) / 2)),
    '02.3': lambda output, target: F.l1_loss(output, target[:, None]),
    '02.4': lambda w1, b1, w2, b2: (torch.einsum('dh,hm->dm', w1, w2), torch.addmv(b2, w2.T, b1)),
    '02.5': lambda x, knots, values: values[0] + torch.einsum('kn,k->n', F.relu(x - knots[:-1, None]), (
        slopes := torch.diff(values) / torch.diff(knots)) - F.pad(slopes, (1, 0))[:-1]),
    '02.6': lambda x, layers: deep(x, layers[:-1]) @ layers[-1][0] + layers[-1][1],
}
