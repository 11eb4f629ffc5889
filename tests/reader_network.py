"The network of the digit reader, trained by the lessons' own code: what `digit_reader.json` holds."
import base64
import json
from importlib.resources import files

import torch

from fastlesson.data import load_data
from fastlesson.forward import Params, forward
from fastlesson.init import init_params
from fastlesson.layers import Linear, Model, ReLU
from fastlesson.train import CrossEntropy, accuracy, fit

STORED = files('fastlesson')/'figures'/'digit_reader.json'
SEED = 0


def packed(w, b):
    "A layer: its weights as whole numbers from -127 to 127 and what one of them is worth, its biases as they are."
    scale = w.abs().max().item() / 127
    return {'w': base64.b64encode((w / scale).round().to(torch.int8).numpy().tobytes()).decode(), 'scale': scale, 'b': b.tolist()}

def unpacked(layer, n_in):
    w = torch.frombuffer(bytearray(base64.b64decode(layer['w'])), dtype=torch.int8).reshape(n_in, -1).double() * layer['scale']
    return w, torch.tensor(layer['b'], dtype=torch.float64)

def params_of(network): return Params(*unpacked(network['first'], 784), *unpacked(network['second'], 50))

def trained():
    "Train it: three epochs, and one of smaller steps. As in every lesson, nothing but our own gradients."
    torch.set_num_threads(1)
    data = load_data('mnist', device='cpu')
    w1, b1, w2, b2 = init_params(784, 50, 10, generator=torch.Generator().manual_seed(SEED), device='cpu')
    model = Model([Linear(w1, b1, input_grad=False), ReLU(), Linear(w2, b2)], CrossEntropy())
    for epochs, lr in ((3, .02), (1, .002)): fit(model, data.x_train, data.y_train, data.x_valid, data.y_valid, epochs=epochs, lr=lr, seed=SEED)
    network = {'first': packed(w1, b1), 'second': packed(w2, b2), 'mean': data.mean, 'std': data.std, 'seed': SEED}
    return network | {'test_accuracy': share_right(network, data)}

def share_right(network, data):
    "The share of MNIST's test images that the rounded network reads right."
    return accuracy(forward(data.x_test.double(), params_of(network)), data.y_test)

if __name__ == '__main__': STORED.write_text(json.dumps(trained()) + '\n', encoding='utf-8')
