"""The process model that runs a whole network, and the run configuration that chooses it."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyAsyncProcessModel, PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from numpy.typing import NDArray

from neuro_deploy.engine.any_stepper import AnyStepper
from neuro_deploy.engine.stepper import Stepper
from neuro_deploy.errors import InputError, ModelFileError
from neuro_deploy.fused.reading import read

_TAG = "fixed_pt"

_PARAMETER = "fused"
"""Key of the process parameter with which the run configuration hands the model its :class:`_Plan`."""

_CHECK_STEPS = 64
"""A free-running model looks so often whether it shall stop."""


@dataclass(frozen=True)
class Record:
    """What a fused network writes down; the arrays' memory must be shared with the processes that Lava forks.

    Row ``t`` is step ``t`` (0-based) since the network was built. Steps beyond the last row are not written down.

    Attributes:
        spikes: uint8 [steps, all neurons], layer after layer; int32 if a layer sends graded messages.
        voltages: int32 [steps, neurons of the last layer] after each step and its resets; of graded neurons what they sent.
        bounds: where each layer begins among the neurons, and where the last one ends.
    """

    spikes: NDArray[np.uint8] | NDArray[np.int32]
    voltages: NDArray[np.int32]
    bounds: tuple[int, ...]

    @classmethod
    def of(cls, network: hdf5.Network, steps: int, spikes: NDArray[np.uint8] | NDArray[np.int32] | None = None) -> "Record":
        """Make room in anonymous shared memory, which goes when nothing refers to it.

        Args:
            network: what will be recorded.
            steps: how many steps.
            spikes: where to write the spikes instead, for example ``np.memmap`` of a file.
        """
        sizes = [layer.out.size for layer in network.layers]
        bounds = (0, *np.cumsum(sizes).tolist())
        if spikes is None:
            graded = any(isinstance(layer.neuron, Delta | SigmaDelta | Sigma) for layer in network.layers)
            spikes = _shared((steps, bounds[-1]), np.int32 if graded else np.uint8)
        return cls(spikes, _shared((steps, sizes[-1]), np.int32), bounds)

    def layer(self, index: int) -> NDArray[np.uint8] | NDArray[np.int32]:
        """Spikes or messages of one layer, [steps, neurons]; a view."""
        index %= len(self.bounds) - 1
        return self.spikes[:, self.bounds[index] : self.bounds[index + 1]]


class FusedRunCfg(Loihi2SimCfg):
    """Runs a NetX network as one process; every other process as :class:`Loihi2SimCfg` does.

    Make it after everything is connected and the network's parameters are set. From then on the network can only run fused:
    its inner processes are cut off from its ports. If all layers are dense or dense_rec, without delays and with the same
    parameters for all LIF neurons of a layer, their ``u`` and ``v`` belong to the fused process; ``get`` and ``set`` work as
    before. Of other networks they cannot be read; ``record`` has the read-out's voltage.

    Input of a network whose first layer is an ``input`` layer goes to ``inp``, too, and acts at its own step.

    Args:
        network: not compiled yet.
        record: where to write the spikes of all layers.
        inputs: integers [steps, channels]; row ``t`` acts as if it were sent to ``inp`` at step ``t`` (0-based), which is faster
            than a process that sends it. ``inp`` must not be connected then. After the last row the input is silent.
        readout_period: the last layer's voltage is set to 0 after each so many steps, as ``v.set`` between two runs would;
            0: never.
        rest_period: the whole network is at rest again after each so many steps, as one that was loaded anew; 0: never.
        free_running: give the network an asynchronous protocol. It then does not wait for a command before each step, which takes
            longer than the step; ports deliver the same values in the same order. Variables cannot be set, and a model that
            fails keeps the run waiting: Lava has neither for asynchronous models.
        failed: called with what a model raised, in its process.
        exception_proc_model_map: as in Lava, for other processes.

    Raises:
        ModelFileError: the network has a part that is not supported.
        InputError: ``inputs`` or ``record`` does not fit the network.
    """

    def __init__(
        self,
        network: hdf5.Network,
        *,
        record: Record | None = None,
        inputs: NDArray[np.integer[Any]] | None = None,
        readout_period: int = 0,
        rest_period: int = 0,
        free_running: bool = False,
        failed: Callable[[Exception], None] = lambda error: None,
        exception_proc_model_map: dict[Any, Any] | None = None,
    ) -> None:
        if network.is_compiled or not (network.inp.out_connections and network.out.in_connections):
            raise ModelFileError(f"{network.filename}: the network was compiled or fused before: load it again")
        stepper = read(network)
        _check(network, stepper, record, inputs)
        stepper.compile()  # here, once, and not in the process that Lava forks for it
        _cut_off(network)
        plan = _Plan(stepper, network.out.shape, record, inputs, readout_period, rest_period, failed)
        network.proc_params[_PARAMETER] = plan
        variables = _take_states(network) if isinstance(stepper, Stepper) else []
        model = _model(_AsyncFused if free_running else _LoihiFused, variables)
        # Named by instance, the model is not searched for: Lava would execute every module beside the network's to find one.
        models = {**(exception_proc_model_map or {}), network: model}
        super().__init__(select_tag=_TAG, exception_proc_model_map=models)


@dataclass(frozen=True)
class _Plan:
    """What the process model is told."""

    stepper: Stepper | AnyStepper
    shape: tuple[int, ...]
    record: Record | None
    inputs: NDArray[np.integer[Any]] | None
    readout_period: int
    rest_period: int
    failed: Callable[[Exception], None]


class _Fused:
    """What both models do at a step."""

    inp: Any = LavaPyType(PyInPort.VEC_DENSE, bool, precision=1)  # Dense's own type, so that several senders add up alike
    out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    proc_params: Any
    protocol: ClassVar[Any]

    def _begin(self) -> None:
        """Let the variables that Lava reads and writes be the stepper's own; they exist only after ``__init__``."""
        self._plan: _Plan = self.proc_params[_PARAMETER]
        stepper = self._plan.stepper
        if isinstance(stepper, Stepper):
            for index, place in enumerate(stepper.layers):
                for name in "uv":
                    state = getattr(stepper, name)[place]
                    state[:] = getattr(self, _variable(name, index))
                    setattr(self, _variable(name, index), state)
        self._silence = np.zeros(stepper.channels, np.int32)

    def _step(self, time_step: int) -> None:
        if time_step == 1:
            self._begin()
        try:
            self._compute(time_step)
        except Exception as error:
            self._plan.failed(error)
            raise

    def _compute(self, time_step: int) -> None:
        plan, stepper = self._plan, self._plan.stepper
        since_rest = (time_step - 1) % plan.rest_period + 1 if plan.rest_period else time_step
        if plan.rest_period and since_rest == 1:
            stepper.rest()
        if stepper.at_once:
            stepper.receive(self._input(time_step))
        stepper.advance(since_rest)
        if plan.record is not None and time_step <= len(plan.record.spikes):
            plan.record.spikes[time_step - 1] = stepper.spikes
            plan.record.voltages[time_step - 1] = stepper.readout
        if plan.readout_period and time_step % plan.readout_period == 0:
            stepper.clear_readout()
        # Lava's Dense too sends before it receives, so that networks in a loop do not wait for each other.
        if self.out.csp_ports:
            self.out.send(stepper.spikes[stepper.layers[-1]].astype(np.int32).reshape(plan.shape))
        if not stepper.at_once:
            stepper.receive(self._input(time_step))

    def _input(self, time_step: int) -> NDArray[Any]:
        rows = self._plan.inputs
        if rows is None:
            values: NDArray[Any] = self.inp.recv()
            return values.reshape(-1)
        return rows[time_step - 1] if time_step <= len(rows) else self._silence


class _LoihiFused(_Fused, PyLoihiProcessModel):
    """In step with all other processes."""

    protocol = LoihiProtocol

    def run_spk(self) -> None:
        self._step(self.time_step)


class _AsyncFused(_Fused, PyAsyncProcessModel):
    """At its own pace."""

    protocol = AsyncProtocol
    time_step = 0

    def run_async(self) -> None:
        for step in range(self.num_steps):
            if step % _CHECK_STEPS == 0 and (self.check_for_stop_cmd() or self.check_for_pause_cmd()):
                return
            self.time_step += 1
            self._step(self.time_step)


def _model(base: type[_Fused], variables: list[str]) -> type[_Fused]:
    """A model with the network's variables."""
    types = {name: LavaPyType(np.ndarray, np.int32, precision=24) for name in variables}
    model = type("PyFusedNetwork", (base,), types)
    decorated: type[_Fused] = implements(proc=hdf5.Network, protocol=base.protocol)(requires(CPU)(tag(_TAG)(model)))
    return decorated


def _cut_off(network: hdf5.Network) -> None:
    """Take the inner processes out of the graph that Lava compiles; else it would compile them as well as our model."""
    for port in network.inp.out_connections:
        port.in_connections.clear()
    for port in network.out.in_connections:
        port.out_connections.clear()
    network.inp.out_connections.clear()
    network.out.in_connections.clear()


def _take_states(network: hdf5.Network) -> list[str]:
    """Give the network variables in place of its neurons', and return their names."""
    names = []
    for index, layer in enumerate(network.layers):
        for name in "uv":
            inner = getattr(layer.neuron, name)
            own = Var(shape=inner.shape, init=inner.init)
            variable = _variable(name, index)
            setattr(network, variable, own)
            network._init_proc_member_obj({variable: own})
            network.vars.add_members({variable: own})
            inner.alias(own)
            names.append(variable)
    return names


def _variable(name: str, layer: int) -> str:
    return f"{name}_{layer}"


def _check(
    network: hdf5.Network, stepper: Stepper | AnyStepper, record: Record | None, inputs: NDArray[np.integer[Any]] | None
) -> None:
    if record is not None and record.spikes.shape[1] != stepper.spikes.size:
        raise InputError(f"the record is made for {record.spikes.shape[1]} neurons, the network has {stepper.spikes.size}")
    if record is not None and record.spikes.dtype != stepper.spikes.dtype:
        raise InputError(f"the record is made for {record.spikes.dtype}, the network sends {stepper.spikes.dtype}")
    if inputs is None:
        return
    if network.inp.in_connections:
        raise InputError("inputs are given and the network's port inp is connected too: use one of the two")
    if inputs.ndim != 2 or inputs.shape[1] != stepper.channels or inputs.dtype.kind not in "biu":
        raise InputError(
            f"inputs are {inputs.dtype} {list(inputs.shape)}, the network reads integers [steps, {stepper.channels}]"
        )


def _shared(shape: tuple[int, int], dtype: type[np.generic]) -> NDArray[Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(1, size)), dtype, count=int(np.prod(shape))).reshape(shape)
