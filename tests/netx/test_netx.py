"""NetX files: round trip, the stock loader's view of them, and every way in which they can be wrong."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nets
import numpy as np
import pytest
from needs import missing, needs

from neuro_deploy.errors import ModelFileError, OutputError, RuleError
from neuro_deploy.files import sha256
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi.weights import stored_weights
from neuro_deploy.lowering import lower
from neuro_deploy.netx import image, load_network, read, save_network, write

if not missing("lava"):  # at once: Lava refuses to be imported after processes were started
    import lava_reference


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path)


def assert_same_layers(found: Chain, expected: Chain) -> None:
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert (ours.weight == theirs.weight).all()
        assert (ours.weight_rec is None) == (theirs.weight_rec is None)
        if ours.weight_rec is not None:
            assert (ours.weight_rec == theirs.weight_rec).all()
        for field in ("threshold", "current_decay", "voltage_decay"):
            assert getattr(ours, field) == getattr(theirs, field)


def test_a_chain_comes_back_as_it_went(tmp_path: Path) -> None:
    chain = lower(nets.tiny())
    write(chain, tmp_path / "a.net")
    assert_same_layers(read(tmp_path / "a.net"), chain)


def test_a_network_comes_back_with_its_meaning(network: Network) -> None:
    chain = lower(nets.tiny())
    assert_same_layers(network.chain, chain)
    assert [layer.segments for layer in network.chain.layers] == [layer.segments for layer in chain.layers]
    assert (network.chain.frames, network.chain.channels, network.chain.gap) == (chain.frames, chain.channels, chain.gap)
    assert network.checkpoint.read_bytes() == b"checkpoint"
    assert network.manifest.sha256.checkpoint == sha256(network.checkpoint)
    assert (network.manifest.readout.layer, network.manifest.readout.scale, network.manifest.latency) == (4, 64, 5)


def test_equal_chains_make_equal_files() -> None:
    first = image(lower(nets.tiny()))
    time.sleep(1.1)  # a time stamp would differ
    assert image(lower(nets.tiny())) == first


@needs("lava")
def test_the_stock_loader_builds_what_was_written(network: Network) -> None:
    loaded = lava_reference.network(network.file.path, 3)
    assert len(loaded) == len(network.chain.layers)
    for block, layer in zip(loaded.layers, network.chain.layers, strict=True):
        assert block.neuron.vth.init == layer.threshold
        assert block.neuron.du.init == layer.current_decay - 1
        assert block.neuron.dv.init == layer.voltage_decay
        stored, stored_rec = stored_weights(layer.weight, layer.weight_rec)
        exponent = block.synapse.proc_params["weight_exp"]
        assert (np.right_shift(block.synapse.weights.init, -exponent) == stored).all()
        if stored_rec is not None:
            assert (np.right_shift(block.synapse_rec.weights.init, -exponent) == stored_rec).all()


def test_a_network_that_breaks_rules_is_not_written(tmp_path: Path) -> None:
    graph = nets.tiny()
    with pytest.raises(RuleError):
        save_network(Network.of(lower(graph), nets.about(graph, steps=10**6)), tmp_path / "a.net", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        nets.saved(nets.tiny(), tmp_path / "file")


def put(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("layer", None), "group 'layer' is missing"),
        (put("layer/1", None), "group '1' is missing"),
        (put("layer/2/weight", None), "layer 2: dataset 'weight' is missing"),
        (put("layer/2/weight_rec", None), "layer 2: dataset 'weight_rec' is missing"),
        (put("layer/2/neuron/vThMant", None), "layer 2/neuron: dataset 'vThMant' is missing"),
        (
            put("layer/2/type", np.array([b"conv"], "S10")),
            "layer 2: the input of a convolution has .*, and it is .* give --input-shape W,H,C",
        ),
        (put("layer/0/type", np.array([b"pool"], "S10")), "layer 0: layer type 'pool' does not run in Lava: only input, conv"),
        (put("layer/0/type", np.array([b"lstm"], "S10")), "layer 0: layer type 'lstm' is unknown: only input, conv"),
        (put("layer/2/delay", np.zeros(3)), r"layer 2: delay has shape \[3\], expected one value, 29, 22 or \[29, 22\]"),
        (put("layer/2/delay", -1), "layer 2: delay holds -1"),
        (put("layer/3/weight", np.zeros((8, 29))), "layer 3: all weights are zero, which lava-dl cannot load"),
        (put("layer/3/weight", np.zeros((8, 7))), "layer 3: weight has 7 columns and the layer before has 29 neurons"),
        (put("layer/3/weight", np.zeros((9, 29))), r"layer 3: weight has shape \[9, 29\], expected \[8, inputs\]"),
        (put("layer/1/weight_rec", np.zeros((22, 3))), "layer 1: weight_rec has 3 columns and the layer has 22 neurons"),
        (put("layer/3/weight", np.full((8, 29), 300)), "layer 3: weight holds 300, the chip takes -256 to 255"),
        (put("layer/3/weight", np.full((8, 29), np.nan)), "layer 3: weight holds nan, expected integers"),
        (put("layer/3/weight", np.full((8, 29), 0.5)), "layer 3: weight holds 0.5, expected integers"),
        (put("layer/3/weight", np.full((8, 29), b"x")), "layer 3: weight holds .* instead of integers"),
        (put("layer/3/neuron/vThMant", 1 << 18), "layer 3/neuron: vThMant holds 262144, the chip takes 0 to 131071"),
        (put("layer/3/neuron/iDecay", 4097), "layer 3/neuron: iDecay holds 4097, the chip takes 0 to 4096"),
        (put("layer/3/neuron/vDecay", [1, 2]), "layer 3/neuron: vDecay has 2 values, expected one, or 8: one for each neuron"),
        (put("layer/3/neuron/type", b"RF_PHASE"), "layer 3/neuron: neuron type 'RF_PHASE' is not supported: use CUBA or SDNN"),
        (put("layer/3/neuron/messageBits", 25), "layer 3/neuron: messageBits holds 25, the chip takes 0 to 24"),
        (put("layer/3/type", np.array([b"input"], "S10")), "layer 3: an input layer after other layers"),
        (put("layer/3/bias", np.zeros(3)), "layer 3: bias has 3 values and the layer has 8 neurons"),
    ],
)
def test_files_with_something_wrong(network: Network, change: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(network.file.path, "a") as file:
        change(file)
    with pytest.raises(ModelFileError, match=message) as caught:
        read(network.file.path)
    assert "\n" not in str(caught.value)
    assert str(network.file.path) in str(caught.value)


def test_files_that_are_no_netx_file(tmp_path: Path, network: Network) -> None:
    whole = network.file.path.read_bytes()
    with pytest.raises(ModelFileError, match="no such file"):
        read(tmp_path / "none.net")
    for content in (b"", b"text", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        network.file.path.write_bytes(content)
        with pytest.raises(ModelFileError, match="not a whole HDF5 file") as caught:
            read(network.file.path)
        assert "\n" not in str(caught.value)


def test_damage_anywhere_is_found(network: Network) -> None:
    whole = network.file.path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        network.file.path.write_bytes(damaged)
        with pytest.raises(ModelFileError) as caught:
            load_network(network.file.path)
        assert "\n" not in str(caught.value)


def test_an_own_bias_and_a_single_row_are_read(tmp_path: Path) -> None:
    chain = lower(nets.tiny())
    write(chain, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        file["layer/4/bias"] = np.array([1.0, -2.0, 3.0])
        put("layer/4/weight", chain.layers[4].weight.reshape(-1).astype(float))(file)
    layer = read(tmp_path / "a.net").layers[4]
    assert layer.bias is not None
    assert layer.bias.tolist() == [1, -2, 3]
    assert (layer.weight == chain.layers[4].weight).all()


def edit(*keys: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("format_version", to=4), "format_version 4 belongs to networks that were adopted, and these to it"),
        (edit("input", "constant_channel", to=None), "without a constant channel"),
        (edit("format_version", to=5), "format_version 5, this program reads 1, 2, 3 and 4"),
        (edit("steps", to=0), "steps is 0: input should be greater than or equal to 1"),
        (edit("surprise", to=1), "surprise is 1: extra inputs are not permitted"),
        (
            edit("layers", 1, "populations", 0, "role", to="boss"),
            "layers.1.populations.0.role is 'boss': input should be 'compute'",
        ),
        (edit("sha256", "net", to="0" * 64), "SHA-256 differs"),
        (edit("layers", 1, "size", to=21), r"layer 1 is dense_rec \[21\], the NetX file's layer 1 is dense_rec \[22\]"),
        (edit("layers", to=[]), "layers is"),
        (edit("latency", to=4), "5 layers and latency 4, the NetX file has 5 layers"),
        (edit("input", "frames", to=2), "the NetX file reads 7 channels"),
        (edit("layers", 1, "populations", 1, "start", to=5), "layer 1: s1~1 covers 5..8, the one before ends at 4"),
        (edit("readout", "stop", to=2), r"read-out layer 4, neurons 0..2: does not fit its populations"),
        (edit("classes", to=["a", "b"]), "read-out layer 4, neurons 0..3, for 2 classes"),
        (edit("classes", to=["a", "b", "a"]), "classes is .*two classes have one name"),
        (edit("classes", 1, to=""), "classes.1 is '': string should have at least 1 character"),
        (edit("layers", 4, "populations", 0, "role", to="compute"), "one in the last layer must be the read-out"),
        (edit("layers", 1, "populations", 1, "source", to="s9"), "layer 1: s1~1 holds 4 neurons of s9, which has none"),
        (edit("layers", 1, "populations", 0, "name", to="s7"), "layer 1: population s7 has source s1 and lag 0"),
        (edit("layers", 1, "populations", 0, "lag", to=1), "a computing population is there once, is its own source"),
        (edit("layers", 1, "populations", 1, "name", to="s1"), "layer 1: two populations are called s1"),
        (edit("layers", 1, "populations", 1, "lag", to=10**18), "lag is 1000000000000000000: input should be less than"),
        (edit("gap", to=10**6), r"gap is 1000000 silent steps, and after \d+ at most this chain is silent"),
        (edit("gap", to=1), r"gap is 1 silent steps, this chain needs \d+ until nothing of a sample is left"),
        (edit("gap", to=1e30), "gap is 1e\\+30"),
        (edit("steps", to=10**9), "steps is 1000000000: input should be less than or equal to 1048576"),
        (edit("input", "scale", to=1e308), r"input.scale is 1e\+308: input should be less than or equal to 1000000000000;"),
        (edit("input", "scale", to=1e-320), "input.scale is 1e-320: input should be greater than or equal to 0.0000"),
        (edit("input", "offset", to=-1e308), r"input.offset is -1e\+308"),
        (edit("readout", "logit", to=10**40), "readout.logit is 1000"),
        (edit("readout", "scale", to=10**40), "readout.scale is 1000"),
        (edit("config", to="../../elsewhere"), r"config is '../../elsewhere': .*must not begin with a dot or have a slash"),
        (edit("config", to="a\nb"), r"config is 'a\\nb': .*a name with a line break"),
        (edit("classes", 1, to="\x1b[2J"), r"classes.1 is '\\x1b\[2J': .*a name with a line break or a control character"),
        (edit("layers", 0, "populations", 0, "name", to="a\x9b"), r"name is 'a\\x9b': .*a control character"),
        (edit("front_end", to={}), "front_end makes 61 frames of 40 bands, the network reads 20 steps of 2 channels"),
        (edit("front_end", to={"bins": 256}), "a window of 400 samples does not tell 256 bands from 20 to 8000 Hz apart"),
        (edit("front_end", to={"rate": 1000, "window_ms": 1, "high_hz": 500}), "a window of 1 samples does not tell 40 bands"),
        (
            edit("front_end", to={"rate": 192000, "window_ms": 1000, "hop_ms": 1, "seconds": 60}),
            "59,001 windows of 192,000 samples, at most 67,108,864 in all: raise hop_ms",
        ),
    ],
)
def test_manifests_with_something_wrong(network: Network, change: Callable[[dict[str, Any]], None], message: str) -> None:
    path = network.file.path.with_suffix(".json")
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(network.file.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), (b"{", "invalid JSON"), (b"[]", "valid dictionary|an object")]
)
def test_manifests_that_are_none(network: Network, content: bytes | None, message: str) -> None:
    path = network.file.path.with_suffix(".json")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(network.file.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("examples", "encoded", to="AAAA"), r"its examples are 3 bytes with 2 read-outs, 80 bytes and 3 voltages each"),
        (edit("examples", "encoded", to="A"), "examples.encoded is 'A': .*[Bb]ase64"),
        (edit("examples", "encoded", to="\u00e9\u00e9\u00e9"), "its examples are 0 bytes"),
        (edit("examples", "encoded", to=7), "examples.encoded is 7"),
        (edit("examples", "encoded", to="////" * 26 + "//8="), "an encoded sample holds 255"),
        (edit("examples", "readout", to=[]), r"examples.readout is \[\]"),
        (edit("examples", "readout", to=[[1, 2, 3]] * 10**6), "with 1000000 read-outs, 40000000 bytes"),
        (edit("examples", "readout", 0, to=[1, 2]), "3 voltages each would fit"),
        (edit("examples", "readout", 0, 0, to=10**40), "examples.readout.0.0 is 1"),
        (edit("examples", "readout", 0, 0, to=0.5), "examples.readout.0.0 is 0.5"),
        (edit("examples", "labels", to=[0]), "the labels of its examples are not 2 of 3 classes"),
        (edit("examples", "labels", to=[]), "the labels of its examples are not 2 of 3 classes"),
        (edit("examples", "labels", 1, to=3), "the labels of its examples are not 2 of 3 classes"),
        (edit("examples", "labels", 1, to=-1), "examples.labels.1 is -1"),
        (edit("examples", "labels", 1, to=10**40), "examples.labels.1 is 1"),
        (edit("steps", to=1 << 20), "its examples are 80 bytes with 2 read-outs, 4194304 bytes"),
    ],
)
def test_examples_with_something_wrong(
    network: Network, change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    graph = nets.tiny()
    samples = Samples(nets.samples(graph, 2, 20), np.array([0, 2]), nets.samples(graph, 2, 20), "tests")
    save_network(network.with_examples(samples, np.zeros((2, 3), np.int64)), tmp_path / "with.net")
    path = tmp_path / "with.json"
    load_network(tmp_path / "with.net")
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(tmp_path / "with.net")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
