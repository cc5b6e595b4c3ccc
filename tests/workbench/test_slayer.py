"""SLAYER models against their NetX files: sound ones, and each way in which one is lost, found by its name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import run
from needs import missing, needs
from numpy.typing import NDArray

import neuro_deploy as nd
from neuro_deploy.errors import InputError, ModelFileError
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.ir.network import Network
from neuro_deploy.netx import Use, adopt

if not missing("lava"):
    import torch
    from lava.lib.dl import slayer
    from lava.lib.dl.slayer.neuron import norm

    from neuro_deploy.workbench.slayer import causes, module
    from neuro_deploy.workbench.slayer.compare import check_slayer

pytestmark = [needs("lava", "torch"), pytest.mark.filterwarnings("ignore")]

STEPS = 40
CUBA = {"threshold": 1.0, "current_decay": 0.4, "voltage_decay": 0.1}
DELTA = {"threshold": 0.1, "tau_grad": 0.1, "scale_grad": 1.0}


def build(*blocks: Any, shape: tuple[int, ...] = (6,)) -> Any:
    """A module after a pass that sets its shapes; weights large enough that all blocks send something."""
    made = torch.nn.Sequential(*blocks)
    with torch.no_grad():
        made((torch.rand((2, *shape, STEPS)) < 0.4).float())
    module.rest(made)
    return made.eval()


def export(made: Any, folder: Path, **loading: Any) -> Network:
    path = folder / "own.net"
    with h5py.File(path, "w") as file:
        for index, block in enumerate(made):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    return adopt(path, Use(STEPS, loading.pop("message_bits", 0), Loading(**loading)))[0]


def spikes(shape: tuple[int, ...] = (6,), samples: int = 3, steps: int = STEPS) -> NDArray[np.int64]:
    return (np.random.default_rng(0).random((samples, steps, *shape)) < 0.4).astype(np.int64)


def dense(inputs: int = 6, outputs: int = 9, neuron: dict[str, Any] | None = None, **options: Any) -> Any:
    block = slayer.block.cuba.Dense(CUBA | (neuron or {}), inputs, outputs, **options)
    with torch.no_grad():
        block.synapse.weight.mul_(2)
    return block


def networks() -> dict[str, Callable[[], tuple[Any, tuple[int, ...]]]]:
    cuba, sigma = slayer.block.cuba, slayer.block.sigma_delta
    delta = DELTA | {"activation": torch.nn.functional.relu}
    return {
        "dense": lambda: (build(dense(), dense(9, 4)), (6,)),
        "delays": lambda: (build(dense(delay=True), dense(9, 4, delay=True)), (6,)),
        "recurrent": lambda: (build(cuba.Recurrent(CUBA, 6, 9), dense(9, 4)), (6,)),
        "conv": lambda: (
            build(cuba.Input(CUBA), cuba.Conv(CUBA, 2, 3, 3, stride=2), cuba.Flatten(), dense(18, 4), shape=(2, 6, 7)),
            (7, 6, 2),
        ),
        "sigma-delta": lambda: (
            build(
                sigma.Input(delta),
                sigma.Conv(delta, 2, 3, 3, padding=1, weight_scale=3),
                sigma.Flatten(),
                sigma.Dense(delta, 126, 5, weight_scale=3),
                sigma.Output(delta, 5, 2, weight_scale=3),
                shape=(2, 6, 7),
            ),
            (7, 6, 2),
        ),
    }


@pytest.mark.parametrize("kind", ["dense", "delays", "recurrent", "conv", "sigma-delta"])
def test_sound_networks_are_the_same_in_every_message(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    made, shape = networks()[kind]()
    values: NDArray[Any] = spikes(shape)
    if kind in ("conv", "sigma-delta"):  # multiples of 1/32, which change now and then
        values = np.cumsum(values * (np.random.default_rng(1).random(values.shape) < 0.2), axis=1) / 32 + 0.5
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.train()
    random = torch.get_rng_state()
    found = nd.check_slayer(made, export(made, tmp_path), values)
    assert found.equal, str(found)
    assert str(found) == f"SLAYER = Lava: every message of {len(found.rows)} blocks is the same"
    assert (found.first, found.around, found.causes) == (None, (), ())
    assert all(row.messages > 0 for row in found.rows)
    assert made.training
    assert torch.equal(torch.get_rng_state(), random)
    after = made.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def named(found: Any) -> list[str]:
    assert not found.equal
    assert found.first is not None
    assert 1 <= len(found.around) <= 5
    assert str(found.first) in str(found)
    return [cause.name for cause in found.causes]


def test_input_that_is_cut(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    values = np.random.default_rng(0).integers(0, 9, (3, STEPS, 6)) / 10
    found = check_slayer(made, export(made, tmp_path), values)
    assert named(found) == ["input that is cut"]
    assert found.first.population == "layer 0 (0)"
    assert "sees whether a value is 0" in found.causes[0].shown
    assert found.rows[1].alone == 0
    whole = check_slayer(made, export(made, tmp_path, message_bits=4), values)
    assert named(whole) == ["input that is cut"]
    assert "its sums" in whole.causes[0].shown or "sees" in whole.causes[0].shown


def test_integers_at_a_synapse_without_message_bits(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    values = np.random.default_rng(0).integers(0, 4, (3, STEPS, 6))
    found = check_slayer(made, export(made, tmp_path), values)
    assert named(found) == ["input that is cut"]
    assert "load the file with message bits (2 for these samples)" in found.causes[0].shown
    assert check_slayer(made, export(made, tmp_path, message_bits=2), values).equal


def test_input_that_slayer_rounds(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(slayer.block.cuba.Input(CUBA), dense())
    found = check_slayer(made, export(made, tmp_path), np.random.default_rng(0).random((3, STEPS, 6)))
    assert named(found)[0] == "input that SLAYER rounds"


def unquantised(values: Any, descale: bool = False) -> Any:
    return values * 64 if descale else values


def beyond(values: Any, descale: bool = False) -> Any:
    steps = torch.round(values * 32) * 2
    return steps if descale else steps / 64


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda block: setattr(block.synapse, "pre_hook_fx", unquantised), "weights that are not quantised"),
        (lambda block: block.synapse.weight.data.mul_(40), "a weight beyond 8 bits"),
        (lambda block: block.synapse.weight.data.neg_(), "other weights"),
        (lambda block: block.neuron.__dict__.update(_threshold=2.0), "another threshold"),
    ],
)
def test_a_block_that_is_not_what_was_exported(change: Callable[[Any], Any], name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    network = export(made, tmp_path)
    if "beyond" in name:
        made[1].synapse.pre_hook_fx = beyond
    change(made[1])
    found = check_slayer(made, network, spikes())
    assert named(found)[0] == name
    assert found.first.population == "layer 1 (1)"
    assert found.rows[0].mismatches == 0


def test_odd_weights_of_both_signs(tmp_path: Path) -> None:
    """The file has what a chip holds, the model what it does not."""
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    network = export(made, tmp_path)
    with torch.no_grad():
        made[1].synapse.weight.add_(1 / 64)
    made[1].synapse.pre_hook_fx = lambda values, descale=False: (
        torch.round(values * 64) if descale else torch.round(values * 64) / 64
    )
    weight = made[1].synapse.pre_hook_fx(made[1].synapse.weight, descale=True).detach().numpy().reshape(4, 9).astype(np.int64)
    last = network.chain.layers[1]
    halved = replace(last, connections=(replace(last.connections[0], weight=weight // 2 * 2),))
    chain = replace(network.chain, layers=(network.chain.layers[0], halved))
    assert named(check_slayer(made, replace(network, chain=chain), spikes()))[0] == "odd weights of both signs"


def test_a_bias_before_the_input(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4, {"norm": norm.MeanOnlyBatchNorm}))
    made[1].neuron.norm.running_mean = -torch.full((4,), 0.25)
    found = check_slayer(made, export(made, tmp_path), spikes())
    assert named(found) == ["a bias before the input"]


def test_resets(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    assert named(check_slayer(made, export(made, tmp_path, reset_interval=7), spikes()))[0] == "resets"


def test_the_phase_of_resets(tmp_path: Path) -> None:
    """A model that resets its states itself, at other steps."""
    torch.manual_seed(1)
    made = build(dense())
    right, wrong = (export(made, tmp_path, reset_interval=8, reset_offset=offset) for offset in (2, 5))
    sent = module.run(made, spikes())[0]
    from neuro_deploy.ir.semantics import run_layer

    sent.sent = run_layer(right.chain.layers[0], spikes()).sent.astype(np.int64)
    differing = int(np.count_nonzero(sent.sent != run_layer(wrong.chain.layers[0], spikes()).sent))
    place = causes.Place(wrong, made, spikes(), (sent,), 0, spikes(), 0, differing)
    assert differing
    assert [cause.name for cause in causes.find(place)] == ["the phase of the resets"]


def test_a_delay_beyond_62(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(delay=True), dense(9, 4))
    made[0].delay.max_delay = 100
    made[0].delay.delay.data[:] = 70
    network = export(made, tmp_path)
    assert network.chain.layers[0].connections[0].longest == 62
    found = check_slayer(made, network, spikes(steps=120))
    assert named(found) == ["a delay beyond 62"]


def test_a_state_that_is_left_from_the_call_before(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(slayer.block.cuba.Recurrent(CUBA, 6, 9), dense(9, 4))
    network = export(made, tmp_path)
    with torch.no_grad():
        made(torch.ones(3, 6, STEPS))  # which leaves something
    assert check_slayer(made, network, spikes()).equal
    assert [cause.name for cause in causes.general(made, spikes())] == ["state that is left from the call before"]


def test_an_exponent_that_is_not_read(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4, {"norm": norm.WgtScaleBatchNorm}))
    made[1].neuron.norm.running_var = torch.tensor([9.0])
    found = check_slayer(made, export(made, tmp_path), spikes())
    assert "an exponent of the weights that is not read" in named(found)


def test_a_last_layer_without_neurons(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), slayer.block.cuba.Affine(CUBA, 9, 4))
    path = tmp_path / "own.net"
    with h5py.File(path, "w") as file:
        for index, block in enumerate(made):
            block.export_hdf5(file.create_group(f"layer/{index}"))
        if "neuron" in file["layer/1"]:
            del file["layer/1/neuron"]
    network = adopt(path, Use(STEPS))[0]
    assert "a last layer without neurons" in named(check_slayer(made, network, spikes()))


def test_blocks_that_do_not_match(tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    network = export(made, tmp_path)
    bad = [
        (build(dense()), spikes(), r"the module has 1 blocks with neurons \(0 \(cuba.Dense\)\), the NetX file 2 layers"),
        (build(dense(), dense(9, 5)), spikes(), r"block 1 \(cuba.Dense\) has 5 neurons, layer 1 \(dense\) of the NetX file 4"),
        (torch.nn.Linear(3, 3), spikes(), "Linear has no block of lava.lib.dl.slayer.block"),
        (made, spikes((5,)), r"samples have shape \[3, 40, 5\], the network reads \[samples, steps, 6\]"),
        (made, spikes()[0], r"samples have shape \[40, 6\]"),
    ]
    for other, values, message in bad:
        with pytest.raises(InputError, match=message):
            check_slayer(other, network, values)


MODEL = """
import torch
from lava.lib.dl import slayer
print("made")
def build():
    neuron = {"threshold": 1.0, "current_decay": 0.4, "voltage_decay": 0.1}
    dense = slayer.block.cuba.Dense
    return torch.nn.Sequential(dense(neuron, 6, 9), dense(neuron, 9, 4))
def broken():
    raise KeyError("nothing here")
def other():
    return 3
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    made = build(dense(), dense(9, 4))
    export(made, tmp_path)
    Path("model.py").write_text(MODEL)
    torch.save(made.state_dict(), "state.pt")
    np.savez("spikes.npz", samples=spikes())
    np.savez("floats.npz", samples=spikes() * 0.1)


@pytest.mark.usefixtures("project")
def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    command = "check own.net --slayer model.py:build --checkpoint state.pt --data "
    assert run(*f"{command} spikes.npz".split()) == 0
    shown, errors = capsys.readouterr()
    assert "SLAYER = Lava: every message of 2 blocks is the same" in shown
    assert errors == "note: runs model.py:build\n"
    assert run(*f"{command} floats.npz".split()) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "SLAYER differs from Lava, first at sample 0, layer 0 (0)" in shown
    assert "input that is cut" in shown
    assert "u, SLAYER" in shown


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--slayer model.py:build", "--slayer needs samples as the model reads them: give --data FILE.npz"),
        ("--checkpoint state.pt --data spikes.npz", "give --slayer FILE.py:FUNCTION too"),
        ("--slayer model.py --data spikes.npz", "--slayer model.py: give FILE.py:FUNCTION"),
        ("--slayer none.py:build --data spikes.npz", "none.py: no such file"),
        ("--slayer model.py:none --data spikes.npz", "model.py: it has no function 'none'"),
        ("--slayer model.py:broken --data spikes.npz", "model.py: broken() raised KeyError: 'nothing here'"),
        ("--slayer model.py:other --data spikes.npz", "model.py: other() returned int: it must return a torch.nn.Module"),
        ("--slayer model.py:build --checkpoint own.net --data spikes.npz", "own.net: it does not fit the network"),
        ("--slayer model.py:build --checkpoint none.pt --data spikes.npz", "none.pt: no such file"),
    ],
)
def test_bad_commands(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "own.net", *options.split()) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert len([line for line in errors.splitlines() if line.startswith("error:")]) == 1


def test_files_that_make_no_module(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def build(:\n")
    with pytest.raises(ModelFileError, match=r"build\(\) raised SyntaxError"):
        module.load(f"{tmp_path}/bad.py:build", None)
