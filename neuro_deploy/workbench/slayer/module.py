"""Run a SLAYER module and keep what each of its blocks sent."""

import contextlib
import copy
import importlib.util
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuro_deploy.errors import InputError, ModelFileError

_BLOCKS = "lava.lib.dl.slayer.block"

STATE = 1 << 12
"""Lava's units of a current, a voltage or a graded message of 1 in SLAYER: 2**6 of the weights, 2**6 of the fraction."""

SUM = STATE << 6
"""Lava's units of a sum of graded messages of 1, each times a weight of 1."""


@dataclass
class Block:
    """A block that has a layer in the NetX file, and what it did.

    Attributes:
        name: in the module, as torch has it.
        block: itself, in the copy that ran.
        sent: [samples, steps, neurons] as Lava counts them; spikes, or graded messages.
        states: int64 [samples, steps, neurons] by Lava's name, where SLAYER shows them.
    """

    name: str
    block: Any
    sent: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    states: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """For example ``cuba.Dense``."""
        return f"{type(self.block).__module__.rpartition('.')[2]}.{type(self.block).__name__}"

    @property
    def shifts(self) -> int:
        """Steps by which it delays what it sends to imitate the way to the next layer."""
        return int(bool(getattr(self.block, "delay_shift", False)))

    @property
    def unit(self) -> int:
        """What Lava sends for a value of 1: of spikes 1, of changes and of sums more."""
        if "sigma_delta" not in type(self.block).__module__:
            return 1
        return SUM if type(self.block).__name__ == "Output" else STATE


def run(module: nn.Module, values: NDArray[Any], *, keep_states: bool = False) -> list[Block]:
    """Run a copy of a module from rest, as it is in evaluation.

    Args:
        module: of SLAYER blocks; it stays as it is, and so does torch's random state.
        values: [samples, steps, channels] or [samples, steps, width, height, channels].
        keep_states: whether to keep currents and voltages as well.

    Returns:
        The blocks with neurons in the order in which they ran.

    Raises:
        InputError: it has no block, or it cannot read the values.
    """
    found = twin(module)
    blocks = _blocks(found)
    with _recorded(blocks, keep_states) as ran, torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            found(layout(values))
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"the module cannot read samples {list(values.shape)}: {reason[:300]}") from error
    if not ran:
        raise InputError("no block of lava.lib.dl.slayer.block ran in the module: give the network itself, not a part of it")
    return ran


def twin(module: nn.Module) -> nn.Module:
    """A copy in evaluation and at rest.

    Raises:
        InputError: torch cannot copy it.
    """
    try:
        found = copy.deepcopy(module).eval()
    except Exception as error:
        raise InputError(
            f"the module cannot be copied ({type(error).__name__}: {error}): give one that was just made"
        ) from error
    rest(found)
    return found.cpu()


def rest(module: nn.Module) -> None:
    """Forget the samples before."""
    for part in module.modules():
        if hasattr(part, "delay_buffer"):
            setattr(part, "delay_buffer", None)  # noqa: B010  (torch types it as a module)
        for name, buffer in part.named_buffers(recurse=False):
            if name.endswith("_state"):
                setattr(part, name, torch.zeros_like(buffer))


def layout(values: NDArray[Any]) -> torch.Tensor:
    """As SLAYER has it: [samples, channels, steps] or [samples, channels, height, width, steps]."""
    axes = (0, 4, 3, 2, 1) if values.ndim == 5 else (0, 2, 1)
    return torch.tensor(np.ascontiguousarray(values.transpose(axes)), dtype=torch.float32)


def _blocks(module: nn.Module) -> list[Block]:
    """All blocks, with and without neurons."""
    found = [
        Block(name, part)
        for name, part in module.named_modules()
        if any(base.__module__.startswith(_BLOCKS) for base in type(part).__mro__)
    ]
    if not found:
        raise InputError(f"{type(module).__name__} has no block of {_BLOCKS}: give a network that is made of them")
    return found


@contextmanager
def _recorded(blocks: list[Block], keep_states: bool) -> Iterator[list[Block]]:
    """Fills the blocks while the module runs; yields those that ran and have a layer."""
    ran: list[Block] = []
    hooks = []

    def record(block: Block) -> Any:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            block.sent = messages(first, block.unit)
            ran.append(block)

        return hook

    for block in blocks:
        if getattr(block.block, "neuron", None) is None:
            continue
        hooks.append(block.block.register_forward_hook(record(block)))
        if keep_states and hasattr(block.block.neuron, "dynamics"):
            _watch(block)
    try:
        yield ran
    finally:
        for hook in hooks:
            hook.remove()


def _watch(block: Block) -> None:
    """Keep the neuron's currents and voltages; it belongs to a copy."""
    neuron = block.block.neuron
    dynamics = neuron.dynamics

    def kept(values: torch.Tensor) -> Any:
        found = dynamics(values)
        for name, state in zip("uv", found, strict=True):
            if state.shape[-1] == values.shape[-1] and values.shape[-1] > 1:
                block.states[name] = np.rint(flat(state) * STATE).astype(np.int64)
        return found

    neuron.dynamics = kept


def messages(output: torch.Tensor, unit: int) -> NDArray[np.int64]:
    """What a block sent, as Lava counts it, int64 [samples, steps, neurons]."""
    sent: NDArray[np.int64] = np.rint(flat(output) * unit).astype(np.int64)
    return sent


def flat(values: torch.Tensor) -> NDArray[np.float64]:
    """[samples, steps, neurons], the neurons in the order (width, height, channels)."""
    array: NDArray[np.float64] = values.detach().numpy().astype(np.float64)
    if array.ndim == 2:
        array = array[:, :, None]
    ordered = array.transpose(0, array.ndim - 1, *range(array.ndim - 2, 0, -1))
    return ordered.reshape(ordered.shape[0], ordered.shape[1], -1)


def load(where: str, checkpoint: Path | None) -> nn.Module:
    """A module of the user's: runs the file of theirs that makes it.

    Args:
        where: ``FILE.py:FUNCTION``; the function takes nothing and returns the module.
        checkpoint: its state, saved by torch; read without running code.

    Raises:
        ModelFileError: no such file or function, it raises, or what it returns is no module or does not fit the checkpoint.
    """
    file, _, name = where.rpartition(":")
    path = Path(file)
    if not file or not name.isidentifier():
        raise ModelFileError(f"--slayer {where}: give FILE.py:FUNCTION, the function that makes the network")
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file: give the Python file that makes the network")
    try:
        made = getattr(_imported(path), name)()
    except AttributeError as error:
        if name in str(error):
            raise ModelFileError(f"{path}: it has no function {name!r}: name the one that makes the network") from error
        raise ModelFileError(f"{path}: {name}() raised {_reason(error)}: fix it") from error
    except Exception as error:
        raise ModelFileError(f"{path}: {name}() raised {_reason(error)}: fix it") from error
    if not isinstance(made, nn.Module):
        raise ModelFileError(f"{path}: {name}() returned {type(made).__name__}: it must return a torch.nn.Module")
    if checkpoint is not None:
        _restore(made, checkpoint)
    return made


def _imported(path: Path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import lava.lib.dl.slayer  # noqa: F401  it prints what it has not found, of which nothing is needed here
    spec = importlib.util.spec_from_file_location(f"slayer_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    beside = str(path.resolve().parent)
    sys.path.insert(0, beside)  # for what it imports
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(beside)
    return module


def _restore(module: nn.Module, checkpoint: Path) -> None:
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        module.load_state_dict(state.get("state_dict", state), strict=True)
    except FileNotFoundError as error:
        raise ModelFileError(f"{checkpoint}: no such file: give the checkpoint of the network") from error
    except Exception as error:
        raise ModelFileError(f"{checkpoint}: it does not fit the network: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
