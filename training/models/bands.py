"""A convolution's kernel over time and bands, written out as the weights of neurons at every place along the frequencies.

A word spoken by a higher voice, or through another vocal tract, has much the same pattern some bands further up. A kernel that is the
same at all places learns it once, and reads few enough neurons that its integers stay large.

The neurons of such a population stand in places from low to high frequencies, those of a place side by side.
"""

import torch
from torch import Tensor, nn

WIDTH = 5
"""Places that a kernel reads, the one in its middle and as many to either side; beyond the last there is nothing."""

STRIDE = 2
"""Places of the source for each place of the target."""


class BandKernel(nn.Module):
    """The trained kernel, [outputs, lags, WIDTH, inputs].

    Args:
        places: of the source, of which every ``STRIDE``-th has a place of the target.
        inputs: neurons of the source at each place.
        outputs: neurons of the target at each place.
        lags: steps that it reads, the present one and ``lags - 1`` past ones.

    Attributes:
        sources: neurons of the source.
        targets: neurons of the target.
        places: of the target.
    """

    def __init__(self, places: int, inputs: int, outputs: int, lags: int) -> None:
        super().__init__()
        self.places = -(-places // STRIDE)
        self.sources, self.targets, self.lags = places * inputs, self.places * outputs, lags
        bound = (lags * WIDTH * inputs) ** -0.5
        self.kernel = nn.Parameter(torch.empty(outputs, lags, WIDTH, inputs).uniform_(-bound, bound))
        # which of the kernel's places reads which place of the source for each place of the target
        read = torch.arange(places)[None, :] - STRIDE * torch.arange(self.places)[:, None] + WIDTH // 2
        self.register_buffer("reach", (read == torch.arange(WIDTH)[:, None, None]).float(), persistent=False)

    def forward(self) -> Tensor:
        """The weights, [targets, lags, sources], the present first."""
        written = torch.einsum("olwi,wts->tolsi", self.kernel, self.reach)
        return written.reshape(self.targets, self.lags, self.sources)
