"""The foundations of deep learning, computed in front of you. Each lesson is a module: `data`, `matmul`, `forward`, `init`, `depth`, `backprop`, `gradcheck`, `layers`, `autograd`, `train`, `limit`, `gpu`, `distributed`; `help(fastlesson.train)` says what one has."""

__version__ = "0.3.0"
