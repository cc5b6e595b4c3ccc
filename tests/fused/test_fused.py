"""A network as one Lava process against stock Lava, against Lava's own functions, and against the integer semantics."""

import warnings
from pathlib import Path
from typing import Any

import nets
import netx_files
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netx_files import FileLayer
from numpy.typing import NDArray

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.engine.stepper import Neurons, Stepper, Synapses
from neuro_deploy.errors import InputError, ModelFileError, NeuroDeployError
from neuro_deploy.ir.chain import Chain, Layer, dense
from neuro_deploy.ir.semantics import run_chain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lava_reference
    from lava.lib.dl.netx import hdf5
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer

    from neuro_deploy.backends.lava_worker import PySource, Source, sink_for
    from neuro_deploy.fused import FusedRunCfg, Record
    from neuro_deploy.fused.reading import checked_blocks, read_plain

CHANNELS = 6
STEPS = 40

# Lava's compiler imports every module beside a process's own, with warnings of all kinds.
pytestmark = pytest.mark.filterwarnings("ignore")


def spikes_of(stepper: Stepper, inputs: NDArray[np.int64]) -> NDArray[np.uint8]:
    rows = np.zeros((len(inputs), stepper.spikes.size), np.uint8)
    for step, values in enumerate(inputs):
        stepper.advance(step + 1)
        rows[step] = stepper.spikes
        stepper.receive(values)
    return rows


def random_chain(rng: np.random.Generator) -> Chain:
    layers = []
    before = CHANNELS
    for _ in range(int(rng.integers(1, 5))):
        size = int(rng.integers(1, 30))
        density = rng.choice([0.05, 0.4, 1.0])
        weight = rng.integers(-200, 200, (size, before)) * (rng.random((size, before)) < density)
        rec = rng.integers(-200, 200, (size, size)) * (rng.random((size, size)) < density) if rng.random() < 0.5 else None
        bias = rng.integers(-100, 200, size) if rng.random() < 0.5 else None
        decays = int(rng.choice([1, 900, 4096])), int(rng.choice([0, 1, 2048, 4095]))
        layers.append(dense(weight, rec, int(rng.choice([10, 200, 3000])), *decays, bias=bias))
        before = size
    return Chain(1, CHANNELS - 1, tuple(layers), 0)


def neurons(layer: Layer) -> Neurons:
    rec = None if layer.weight_rec is None else Synapses(layer.weight_rec)
    bias = np.zeros(layer.size, np.int64) if layer.bias is None else layer.bias << 6
    return Neurons(Synapses(layer.weight), rec, layer.current_decay, layer.voltage_decay, layer.threshold << 6, bias)


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_every_spike_and_state_is_that_of_the_semantics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chain = random_chain(rng)
    inputs = rng.integers(0, 32, (1, STEPS, CHANNELS)) * (rng.random((1, STEPS, CHANNELS)) < 0.6)
    stepper = Stepper([neurons(layer) for layer in chain.layers], graded=True)
    found = spikes_of(stepper, inputs[0])
    for run, place in zip(run_chain(chain, inputs), stepper.layers, strict=True):
        assert (found[:, place] == run.sent[0]).all()
        assert (stepper.u[place] == run.states["u"][0]).all()
        assert (stepper.v[place] == run.states["v"][0]).all()


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_neurons_do_what_lavas_do_even_where_numbers_overflow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, (current_decay, voltage_decay) = 12, rng.integers(0, 4097, 2).tolist()
    bias, threshold = rng.integers(-(2**15), 2**15, size), int(rng.integers(0, 1 << 17))
    weight = np.eye(size, dtype=np.int64)
    layer = Neurons(Synapses(weight), None, current_decay, voltage_decay, threshold << 6, bias << 6)
    stepper = Stepper([layer], graded=True)
    a = rng.integers(-(1 << 31), 1 << 31, (30, size)) >> rng.integers(0, 20, (30, 1))
    parameters = {"current_decay": current_decay, "voltage_decay": voltage_decay, "threshold": threshold, "bias": bias}
    for step, states in enumerate(lava_reference.lif_steps(a, **parameters)):
        stepper.receive(a[step])
        stepper.advance(step + 1)
        assert (stepper.u == states["u"]).all()
        assert (stepper.v == states["v"]).all()
        assert (stepper.spikes == states["s"]).all()


def test_a_sum_is_shifted_whole_where_its_weights_cannot_be() -> None:
    weight = np.array([[-255, -255, -255], [-254, 0, -255]])
    plain = Synapses(np.array([[200, 100, 0], [0, 0, 0]]))
    layers = [Neurons(plain, Synapses(np.zeros((2, 2), np.int64)), 4096, 4096, 99, np.array([0, 0]))]
    layers.append(Neurons(Synapses(weight[:, :2], -1), Synapses(weight[:, 1:], -2), 4096, 4095, 1 << 20, np.array([0, 0])))
    stepper = Stepper(layers, graded=False)
    stepper.spikes[:] = [1, 1, 1, 1]
    stepper.advance(1)
    expected = [(-510 >> 1) + (-510 >> 2), (-254 >> 1) + (-255 >> 2)]
    assert (stepper.u[2:] >> 6).tolist() == expected


def test_a_graded_input_must_be_integers() -> None:
    stepper = Stepper([neurons(random_chain(np.random.default_rng(0)).layers[0])], graded=True)
    with pytest.raises(TypeError, match="received float64"):
        stepper.receive(np.ones(CHANNELS))


def loaded(path: Path, **options: Any) -> Any:
    return hdf5.Network(net_config=str(path), **options)


def open_networks(folder: Path, seed: int = 11) -> list[Any]:
    """Random networks from files, the same at each call."""
    rng = np.random.default_rng(seed)
    networks = []
    for index in range(9):
        layers = netx_files.network(rng, CHANNELS, depth=1 + index % 3)
        if index == 1:  # the loader then takes neurons that do not leak
            layers[-1].neuron.clear()
        path = netx_files.write(folder / f"{index}.net", layers)
        options = {"reset_interval": 7, "reset_offset": 2} if index % 4 == 2 else {}
        networks.append(loaded(path, input_message_bits=4 * (index % 2), **options))
    return networks


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("inputs") / "rows.npy"
    np.save(path, (rng.integers(0, 16, (STEPS, CHANNELS)) * (rng.random((STEPS, CHANNELS)) < 0.6)).astype(np.int32))
    return path


def recorder(ports: list[Any], path: Path) -> dict[Any, Any]:
    """A process that writes what the ports send, with its model."""
    np.save(path, np.zeros((STEPS, sum(port.size for port in ports)), np.uint8))
    sink, model = sink_for(ports, path)
    return {sink: model}


def feeder(networks: list[Any], inputs: Path) -> dict[Any, Any]:
    """One process that feeds all networks, with its model: starting Lava takes longer than running it."""
    source = Source(inputs, (CHANNELS,))
    source.s_out.connect([network.inp for network in networks])
    return {source: PySource}


@pytest.fixture(scope="module")
def stock(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint8]]:
    """What stock Lava fires, uint8 [steps, all neurons] for each network."""
    folder = tmp_path_factory.mktemp("stock")
    networks = open_networks(folder)
    sizes = [sum(layer.out.size for layer in network.layers) for network in networks]
    models = recorder([layer.out for network in networks for layer in network.layers], folder / "spikes.npy")
    models |= feeder(networks, inputs)
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    networks[0].run(condition=RunSteps(STEPS), run_cfg=config)
    networks[0].stop()
    return np.split(np.load(folder / "spikes.npy"), np.cumsum(sizes)[:-1], axis=1)


def test_the_networks_are_worth_comparing(stock: list[NDArray[np.uint8]]) -> None:
    assert sum(0.02 < spikes.mean() < 0.9 for spikes in stock) >= 6


def test_in_step_with_other_processes_it_fires_as_stock_lava(
    stock: list[NDArray[np.uint8]], inputs: Path, tmp_path: Path
) -> None:
    networks = open_networks(tmp_path)
    models = recorder([network.out for network in networks], tmp_path / "out.npy") | feeder(networks, inputs)
    records = [Record.of(network, STEPS) for network in networks]
    for network, record in zip(networks, records, strict=True):
        models = FusedRunCfg(network, record=record, exception_proc_model_map=models).exception_proc_model_map
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    first = networks[0]
    first.run(condition=RunSteps(15), run_cfg=config)
    first.run(condition=RunSteps(STEPS - 15))
    voltage = first.layers[-1].neuron.v
    assert (voltage.get() == records[0].voltages[-1]).all()
    voltage.set(np.full(voltage.shape, -1234))
    assert (voltage.get() == -1234).all()
    assert first.layers[0].neuron.u.get().shape == first.layers[0].shape
    first.stop()
    for expected, record in zip(stock, records, strict=True):
        assert (record.spikes == expected).all()
        assert (np.hstack([record.layer(k) for k in range(len(record.bounds) - 1)]) == expected).all()
    outputs = np.hstack([record.layer(-1) for record in records])
    assert (np.load(tmp_path / "out.npy") == outputs).all()


@pytest.mark.parametrize(("index", "fed"), [(1, True), (2, False), (5, False), (6, True)])
def test_running_freely_it_fires_as_stock_lava(
    index: int, fed: bool, stock: list[NDArray[np.uint8]], inputs: Path, tmp_path: Path
) -> None:
    network = open_networks(tmp_path)[index]
    record = Record.of(network, STEPS)
    rows = np.load(inputs) if fed else None
    models = recorder([network.out], tmp_path / "out.npy") | ({} if fed else feeder([network], inputs))
    config = FusedRunCfg(network, record=record, inputs=rows, free_running=True, exception_proc_model_map=models)
    network.run(condition=RunSteps(1), run_cfg=config)
    network.run(condition=RunSteps(STEPS - 1))
    voltage = network.layers[-1].neuron.v.get()
    network.stop()
    assert (record.spikes == stock[index]).all()
    assert (np.load(tmp_path / "out.npy") == record.layer(-1)).all()
    assert (voltage == record.voltages[-1]).all()


def test_the_readout_is_cleared_and_steps_beyond_the_rows_are_silent(tmp_path: Path) -> None:
    layer = FileLayer(np.array([[3], [-5]]), neuron={"type": b"CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": 1 << 16})
    network = opened(tmp_path, layer)
    record = Record.of(network, 8)
    rows = np.ones((6, 1), np.int32)
    network.run(condition=RunSteps(12), run_cfg=FusedRunCfg(network, record=record, inputs=rows, readout_period=4))
    network.stop()
    times = [0, 1, 2, 3, 1, 2, 3, 3]
    assert (record.voltages == np.outer(times, [3 << 6, -5 << 6])).all()


def one_layer(**neuron: Any) -> FileLayer:
    values = {"type": b"CUBA", "iDecay": 4096, "vDecay": 100, "vThMant": 50, **neuron}
    return FileLayer(np.array([[3, 4]]), neuron=values)


def opened(tmp_path: Path, *layers: FileLayer, **options: Any) -> Any:
    return loaded(netx_files.write(tmp_path / f"bad{len(list(tmp_path.iterdir()))}.net", layers), **options)


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([one_layer(iDecay=4097)], {}, "layer 0: iDecay is 4097, 0 to 4096 are supported"),
        ([one_layer(vDecay=0.5)], {}, "layer 0: vDecay is a float64, integers"),
        ([one_layer(vThMant=np.array([1, 2]))], {}, "layer 0: vThMant has 2 values, expected one$"),
    ],
)
def test_what_is_not_supported_is_refused_by_layer(
    layers: list[FileLayer], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        FusedRunCfg(opened(tmp_path, *layers, **options))
    assert "\n" not in str(caught.value)
    assert "bad0.net" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("cum_error", True, "cum_error of sigma-delta neurons"), ("vth", -64, "vThMant is -1, 0 to")],
)
def test_sigma_delta_neurons_that_are_not_modelled_are_refused(name: str, value: int, message: str, tmp_path: Path) -> None:
    network = opened(tmp_path, FileLayer(np.array([[1, 2]]), neuron={"type": b"SDNN", "vThMant": 5}))
    getattr(network.layers[0].neuron, name).init = value
    with pytest.raises(ModelFileError, match=f"bad0.net: layer 0: {message}"):
        FusedRunCfg(network)


def test_a_neuron_of_another_kind_is_refused(tmp_path: Path) -> None:
    network = opened(tmp_path, one_layer())
    network.layers[0].neuron = RingBuffer(shape=(1,), buffer=3)
    with pytest.raises(
        ModelFileError, match="layer 0: a RingBuffer neuron is not supported, fused are Delta, LIF, LIFReset, Sigma"
    ):
        FusedRunCfg(network)


def test_a_connection_to_the_inside_is_refused(tmp_path: Path) -> None:
    network = opened(tmp_path, one_layer())
    network.layers[0].out.connect(RingBuffer(shape=(1,), buffer=3).a_in)
    with pytest.raises(ModelFileError, match=r"layer 0: something is connected to its inside; .*Record"):
        FusedRunCfg(network)


def test_it_is_fused_once(tmp_path: Path) -> None:
    network = opened(tmp_path, one_layer())
    FusedRunCfg(network)
    with pytest.raises(ModelFileError, match="compiled or fused before: load it again"):
        FusedRunCfg(network)


def test_inputs_and_record_must_fit(tmp_path: Path) -> None:
    network = opened(tmp_path, one_layer())
    bad: list[tuple[dict[str, Any], str]] = [
        ({"inputs": np.zeros((4, 3), np.int32)}, r"int32 \[4, 3\], the network reads integers \[steps, 2\]"),
        ({"inputs": np.zeros((4, 2))}, "inputs are float64"),
        ({"record": Record.of(opened(tmp_path, FileLayer(np.ones((3, 2), np.int64))), 5)}, "made for 3 neurons"),
    ]
    for options, message in bad:
        with pytest.raises(InputError, match=message) as caught:
            FusedRunCfg(network, **options)
        assert isinstance(caught.value, NeuroDeployError)
    Source(tmp_path / "none.npy", (2,)).s_out.connect(network.inp)
    with pytest.raises(InputError, match="inp is connected too"):
        FusedRunCfg(network, inputs=np.zeros((4, 2), np.int32))
    FusedRunCfg(network)  # a refusal changes nothing


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_the_weights_are_those_that_lavas_synapses_keep(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    layer = netx_files.layer(np.random.default_rng(seed), 5, 7)
    network = opened(tmp_path_factory.mktemp("weights"), layer)
    found = read_plain(checked_blocks(network)[0])
    assert (found.recurrent is None) == (layer.weight_rec is None)
    for ours, theirs in (
        (found.inputs, network.layers[0].synapse),
        (found.recurrent, getattr(network.layers[0], "synapse_rec", None)),
    ):
        if ours is not None:
            model = lava_reference.dense_model(theirs)
            assert (ours.weight == model.weights).all()
            assert ours.exponent == model.weight_exp


def test_the_backend_is_the_same_with_one_process(tmp_path: Path) -> None:
    steps, samples = 12, 11
    network = nets.saved(nets.tiny(), tmp_path, steps)
    encoded = nets.samples(nets.tiny(), samples, steps)
    found = LavaBackend(fused=True).run(network, encoded)
    expected = IntegerBackend().run(network, encoded)
    assert found.backend == "lava-fused"
    assert found.layers is not None
    assert expected.layers is not None
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert (ours == theirs).all()
    assert (found.readout == expected.readout).all()
    assert found.populations.keys() == expected.populations.keys()
