"""The model and its training; knows nothing of Lava's run time."""

import os

# Threads that wait for each other spin by default, and on a busy machine a training step then takes ten times as long. A short spin
# costs nothing on an idle one. libgomp reads this once, when torch loads it, so it is set before anything here imports torch.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
