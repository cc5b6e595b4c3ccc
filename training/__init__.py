"""The model and its training; knows nothing of Lava's run time."""

import os

# Between two parallel loops a thread spins for a while before it sleeps. By default it spins for so long that on a busy machine a
# training step takes ten times as long; with this it sleeps after some tenths of a millisecond. libgomp reads it once, when torch loads
# it, so it is set before anything here imports torch.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
