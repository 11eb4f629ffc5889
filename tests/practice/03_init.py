"Wrong answers to the tasks of lesson 3 with words that the report must say, and right ones written in another way."
import math

import torch


def gain_squared(a): return 2 / (1 + a * a)
def gain_inverse(a): return ((1 + a * a) / 2)**.5
def gain_of_relu(a): return 2**.5
def gain_linear_slope(a): return (2 / (1 + a))**.5
def gain_negative(a): return -(2 / (1 + a * a))**.5


def bound_std(n_in, n_out): return (2 / (n_in + n_out))**.5
def bound_forward(n_in, n_out): return (3 / n_in)**.5
def bound_whole(n_in, n_out): return 2 * (6 / (n_in + n_out))**.5
def bound_half(n_in, n_out): return (3 / (n_in + n_out))**.5
def bound_squared(n_in, n_out): return 3 / ((n_in + n_out) / 2)


def he_unmended(z, a): return 2 * z / (z.shape[1] * (1 + a * a))
def he_variance(z, a): return 2 * z / (len(z) * (1 + a * a))
def he_fan_out(z, a): return z * (2 / (1 + a * a) / z.size(1))**.5
def he_without_slope(z, a): return z * (2 / len(z))**.5
def he_lecun(z, a): return z / len(z)**.5
def he_transposed(z, a): return z.T * (2 / (1 + a * a) / len(z))**.5

def he_in_place(z, a):
    z *= (2 / (1 + a * a) / len(z))**.5
    return z


def moment_of_variance(x, std): return std**2 * ((x - x.mean(1, keepdim=True))**2).sum(1)
def moment_mean(x, std): return std**2 * (x * x).mean(1)
def moment_size(x, std): return std * (x * x).sum(1).sqrt()
def moment_std(x, std): return std * (x * x).sum(1)
def moment_columns(x, std): return std**2 * (x * x).sum(0)
def moment_of_all(x, std): return std**2 * (x * x).sum() / len(x)
def moment_kept(x, std): return std**2 * (x * x).sum(1, keepdim=True)
def moment_looped(x, std): return torch.stack([sum(v * v for v in row) * std**2 for row in x])


def relu_of_abs(std): return std * (2 / math.pi)**.5, std * (1 - 2 / math.pi)**.5
def relu_he(std): return std / math.pi**.5, std * (1 - 1 / math.pi)**.5
def relu_size(std): return std / (2 * math.pi)**.5, std / 2**.5
def relu_variance(std): return std / (2 * math.pi)**.5, std * std * (math.pi - 1) / (2 * math.pi)
def relu_halved(std): return std / (2 * math.pi)**.5, std * .5
def relu_swapped(std): return std * (.5 - .5 / math.pi)**.5, std / (2 * math.pi)**.5
def relu_mean_only(std): return std / (2 * math.pi)**.5


def dropout_more(n_in, p): return (1 / (n_in * (1 - p)))**.5
def dropout_divided(n_in, p): return (1 - p) * n_in**-.5
def dropout_variance(n_in, p): return (1 - p) / n_in
def dropout_none(n_in, p): return n_in**-.5
def dropout_turned(n_in, p): return (p / n_in)**.5


def phi(c): return torch.exp(-c * c / 2) / (2 * math.pi)**.5
def within(c): return torch.erf(c / 2**.5)
def truncated_variance(c): return (within(c) - 2 * c * phi(c)) / within(c)
def truncated_thrown_away(c): return torch.sqrt(within(c) - 2 * c * phi(c))
def truncated_one_end(c): return torch.sqrt((within(c) - c * phi(c)) / within(c))
def truncated_clipped(c): return torch.sqrt(within(c) - 2 * c * phi(c) + c * c * (1 - within(c)))
def truncated_float(c): return torch.sqrt(1 - 2 * c * phi(c) / within(c)).float()


def kernel(x, bracket=lambda a: a.sin() + (math.pi - a) * a.cos(), clamp=True, variance=2, sizes=True):
    rows = x / (x * x).sum(1, keepdim=True).sqrt()
    cos = rows @ rows.T
    a = torch.acos(cos.clamp(-1, 1) if clamp else cos)
    rho = (x * x).mean(1).sqrt() * variance**.5
    return torch.outer(rho, rho) / (2 * math.pi) * bracket(a) if sizes else bracket(a) / math.pi

def kernel_unclamped(x): return kernel(x, clamp=False)
def kernel_lecun(x): return kernel(x, variance=1)
def kernel_angle(x): return kernel(x, lambda a: a.sin() + a * a.cos())
def kernel_no_sine(x): return kernel(x, lambda a: (math.pi - a) * a.cos())
def kernel_unit(x): return kernel(x, sizes=False)
def kernel_before(x): return (x @ x.T).mul(2 / x.shape[1])
def kernel_halved(x): return torch.einsum('nd,md->nm', x, x) / x.shape[1]
def kernel_sums(x): return kernel(x) * x.shape[1]


WRONG = {
    '03.1': [(gain_squared, 'square of the gain'), (gain_inverse, 'fraction that is kept'), (gain_of_relu, 'gain of a plain ReLU'),
             (gain_linear_slope, 'not by `a`'), (gain_negative, 'sign is wrong')],
    '03.2': [(bound_std, 'This is the standard deviation'), (bound_forward, 'preserves the signal alone'), (bound_whole, 'whole width'),
             (bound_half, 'half of their sum'), (bound_squared, 'square of the bound')],
    '03.3': [(he_unmended, 'nothing is mended'), (he_variance, 'multiplied by a standard deviation'), (he_fan_out, 'sum over the inputs'),
             (he_without_slope, 'slope `a` is forgotten'), (he_lecun, 'LeCun'), (he_transposed, 'transposed'), (he_in_place, 'changes its argument `z`')],
    '03.4': [(moment_of_variance, 'variance of each image'), (moment_mean, 'too small by the factor `x.shape[1]`'), (moment_size, 'root of the second moment'),
             (moment_std, 'variance of the weights'), (moment_columns, 'wrong axis'), (moment_of_all, 'each has its own'), (moment_kept, 'not their shape'),
             (moment_looped, 'it loops, where whole tensors would do')],
    '03.5': [(relu_of_abs, 'that of $|y|$'), (relu_he, 'where $s = \\sqrt2$'), (relu_size, 'root of the second moment'), (relu_variance, 'take the root'),
             (relu_halved, 'which is not the variance'), (relu_swapped, 'what the standard deviation should be'), (relu_mean_only, '1 result instead of 2')],
    '03.6': [(dropout_more, 'other inputs grow'), (dropout_divided, 'some inputs become zero'), (dropout_variance, 'take the root'),
             (dropout_none, 'not its square'), (dropout_turned, 'share that stays')],
    '03.7': [(truncated_variance, 'take the root'), (truncated_thrown_away, 'divide by the probability'), (truncated_one_end, 'Both ends'),
             (truncated_clipped, 'drawn again'), (truncated_float, 'type of the inputs is lost')],
    '03.8': [(kernel_unclamped, 'infinities or NaNs'), (kernel_lecun, 'too small by the factor 2'), (kernel_angle, 'The angle itself'), (kernel_no_sine, 'is missing'),
             (kernel_unit, 'sizes of the images are missing'), (kernel_before, 'before the ReLU'), (kernel_halved, 'depends on the angle'),
             (kernel_sums, 'too large by the factor `x.shape[1]`')],
}
OTHER = {
    '03.1': lambda a: ((1 + a * a) / 2)**-.5,
    '03.2': lambda n_in, n_out: 3**.5 / math.sqrt((n_in + n_out) / 2),
    '03.3': lambda z, a: 2**.5 * z / (z.size(0)**.5 * math.hypot(1, a)),
    '03.4': lambda x, std: torch.einsum('nd,nd->n', x, x) * std**2,
    '03.5': lambda std: (std * .5 * math.sqrt(2 / math.pi), ((std**2) / 2 - (std**2) / (2 * math.pi)).sqrt()),
    '03.6': lambda n_in, p: math.sqrt(1 - p) * n_in**-.5,
    '03.7': lambda c: ((within(c) - 2 * c * phi(c)) / within(c)).sqrt(),
    '03.8': kernel,
}
