"""Networks of mixed kinds as one Lava process: every layer, step and value against the integer semantics and stock Lava's processes."""

import warnings
from pathlib import Path
from typing import Any

import netx_files
import numpy as np
import pytest
from netx_files import FileNetwork
from numpy.typing import NDArray

from neuro_deploy.backends import create
from neuro_deploy.engine.any_stepper import AnyStepper
from neuro_deploy.engine.stepper import Stepper
from neuro_deploy.errors import BackendError, InputError, ModelFileError, RuleError
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.netx import Use, adopt
from neuro_deploy.verify.check import compare

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lava.lib.dl.netx import hdf5
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    from neuro_deploy.backends.lava_worker import PySource, Source, sink_for
    from neuro_deploy.fused import FusedRunCfg, Record
    from neuro_deploy.fused.reading import read

STEPS = 40

pytestmark = pytest.mark.filterwarnings("ignore")


def loaded(path: Path, made: FileNetwork) -> Any:
    return hdf5.Network(net_config=str(path), input_message_bits=made.bits, **made.loading)


def adopted(path: Path, made: FileNetwork) -> Network:
    return adopt(path, Use(STEPS, made.bits, Loading(**made.loading)))[0]


def sent_by(stepper: Stepper | AnyStepper, rows: NDArray[np.int32]) -> NDArray[np.generic]:
    """What all neurons send, [steps, neurons]."""
    found = np.zeros((len(rows), stepper.spikes.size), stepper.spikes.dtype)
    for step, values in enumerate(rows):
        if stepper.at_once:
            stepper.receive(values)
        stepper.advance(step + 1)
        found[step] = stepper.spikes
        if not stepper.at_once:
            stepper.receive(values)
    return found


def expected_of(network: Network, rows: NDArray[np.int32]) -> NDArray[np.generic]:
    return np.concatenate([run.sent[0] for run in run_chain(network.chain, rows[None])], axis=1)


def some_network(folder: Path, seed: int) -> tuple[Path, FileNetwork, NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    made = netx_files.mixed(rng)
    path = netx_files.write(folder / f"{seed}.net", made.layers)
    return path, made, netx_files.inputs(rng, made, STEPS).reshape(STEPS, -1)


def test_processes_are_read_as_their_file(tmp_path: Path) -> None:
    kinds: set[str] = set()
    active = 0
    for seed in range(60):
        path, made, rows = some_network(tmp_path, seed)
        network = adopted(path, made)
        try:
            expected = expected_of(network, rows)
        except RuleError:  # numbers for which Lava has no room
            continue
        stepper = read(loaded(path, made))
        assert isinstance(stepper, Stepper) == all(layer.special in (None, "periodic resets") for layer in network.chain.layers)
        assert int(np.count_nonzero(sent_by(stepper, rows) != expected)) == 0, seed
        stepper.rest()
        assert int(np.count_nonzero(sent_by(stepper, rows) != expected)) == 0, f"{seed}, from rest again"
        kinds |= {layer.special or "plain" for layer in network.chain.layers}
        active += bool(expected.any())
    assert active > 30
    assert kinds >= {
        "a convolution",
        "SigmaDelta neurons",
        "Sigma neurons",
        "synaptic delays",
        "periodic resets",
        "parameters of each neuron",
        "neurons that take the input itself",
        "plain",
    }


def special_networks(folder: Path, count: int) -> list[tuple[Path, FileNetwork, NDArray[np.int32]]]:
    """Those that are active and not plain."""
    found: list[tuple[Path, FileNetwork, NDArray[np.int32]]] = []
    seed = 100
    while len(found) < count:
        path, made, rows = some_network(folder, seed)
        seed += 1
        network = adopted(path, made)
        try:
            active = expected_of(network, rows)[:, -network.chain.layers[-1].size :].any()
        except RuleError:
            continue
        if active and network.chain.special and "resets" not in network.chain.special:
            found.append((path, made, rows))
    return found


def test_in_step_with_other_processes(tmp_path: Path) -> None:
    networks = special_networks(tmp_path, 5)
    models: dict[Any, Any] = {}
    nets, records, ports = [], [], []
    for index, (path, made, rows) in enumerate(networks):
        net = loaded(path, made)
        file = tmp_path / f"{index}.npy"
        np.save(file, rows.reshape(STEPS, *net.inp.shape))
        source = Source(file, net.inp.shape)
        source.s_out.connect(net.inp)
        models[source] = PySource
        ports.append(net.out)
        nets.append(net)
        records.append(Record.of(net, STEPS))
    np.save(tmp_path / "out.npy", np.zeros((STEPS, sum(port.size for port in ports)), np.int32))
    sink, model = sink_for(ports, tmp_path / "out.npy")
    models[sink] = model
    for net, record in zip(nets, records, strict=True):
        models = FusedRunCfg(net, record=record, exception_proc_model_map=models).exception_proc_model_map
    nets[0].run(condition=RunSteps(STEPS), run_cfg=Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models))
    nets[0].stop()
    last = []
    for (path, made, rows), record in zip(networks, records, strict=True):
        assert int(np.count_nonzero(record.spikes != expected_of(adopted(path, made), rows))) == 0
        last.append(record.layer(-1))
    assert (np.load(tmp_path / "out.npy") == np.hstack(last)).all()


@pytest.mark.parametrize("index", range(3))
def test_the_backend_runs_samples_from_rest(index: int, tmp_path: Path) -> None:
    path, made, rows = special_networks(tmp_path, 3)[index]
    network = adopted(path, made)
    samples = np.stack([rows, rows[::-1], rows]).astype(np.int32)
    reference = create("integer").run(network, samples)
    for backend in ("lava-fused", "lava"):
        comparison = compare(reference, create(backend).run(network, samples))
        assert comparison.equal, (backend, str(comparison))


def test_sparse_synapses_are_those_of_dense_ones(tmp_path: Path) -> None:
    for seed in range(30, 42):
        path, made, rows = some_network(tmp_path, seed)
        try:
            expected = expected_of(adopted(path, made), rows)
        except RuleError:
            continue
        try:
            network = hdf5.Network(
                net_config=str(path), input_message_bits=made.bits, **made.loading | {"sparse_fc_layer": True}
            )
        except Exception:  # the loader cannot make all of them
            continue
        assert int(np.count_nonzero(sent_by(read(network), rows) != expected)) == 0, seed


def test_numbers_beyond_lavas_are_said_at_once(tmp_path: Path) -> None:
    layers = [netx_files.FileLayer(np.full((1, 2), 100), neuron={"type": b"SDNN", "vThMant": 1})]
    network = adopt(netx_files.write(tmp_path / "large.net", layers), Use(STEPS, 24))[0]
    samples = np.full((1, STEPS, 2), 1 << 23, np.int32)
    with pytest.raises(BackendError, match=r"layer 0: a sum or a state leaves the 32 bits"):
        create("lava-fused").run(network, samples)


def test_a_record_of_another_type_is_refused(tmp_path: Path) -> None:
    layers = [netx_files.FileLayer(np.full((1, 2), 100), neuron={"type": b"SDNN", "vThMant": 1})]
    net = hdf5.Network(net_config=str(netx_files.write(tmp_path / "graded.net", layers)), input_message_bits=8)
    assert Record.of(net, 3).spikes.dtype == np.int32
    with pytest.raises(InputError, match="made for uint8, the network sends int32"):
        FusedRunCfg(net, record=Record.of(net, 3, np.zeros((3, 1), np.uint8)))


def test_inside_connections_of_a_convolution_are_refused(tmp_path: Path) -> None:
    path, made, _ = next(one for one in special_networks(tmp_path, 8) if len(one[1].shape) == 3)
    net = loaded(path, made)
    Source(tmp_path / "no.npy", net.layers[0].out.shape).s_out.connect(net.layers[0].neuron.a_in)
    with pytest.raises(ModelFileError, match="layer 0: something is connected to its inside"):
        FusedRunCfg(net)
