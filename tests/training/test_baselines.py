"""Models without spikes in the place of the spiking one: trained alike, counted, compared, and never deployed."""

import json
from pathlib import Path

import pytest
import torch
from commands import run
from torch import nn

from neuro_deploy.errors import ConfigError
from neuro_deploy.training import sweep
from neuro_deploy.training.config import Config, load, parse
from neuro_deploy.training.loop import Progress, Trainer
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer
from neuro_deploy.training.models.network import Network
from neuro_deploy.training.models.registry import BASELINES, build_model
from neuro_deploy.workbench.assessment import multiply_accumulates

CHANNELS, STEPS, CLASSES = 5, 7, 3


def with_baseline(name: str | None, **model: object) -> Config:
    config = load("speech_commands_12_short").model_dump()
    return parse({**config, "model": {**config["model"], "channels": 8, "baseline": name, **model}}, "the test")


def model(name: str, **settings: object) -> nn.Module:
    return build_model(with_baseline(name, **settings), CHANNELS, CLASSES).eval()


def macs(name: str, **settings: object) -> int:
    return multiply_accumulates(model(name, **settings), torch.zeros(1, STEPS, CHANNELS))


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_learns_from_the_data_of_the_spiking_model(project: Path, name: str) -> None:
    config = load("tiny.toml").model_dump()
    config["train"] |= {"epochs": 6, "quantised_epochs": 1, "batch": 32, "rate": 0.005, "target_rate": 0.1, "rate_weight": 1.0}
    config["model"] |= {"baseline": name, "channels": 16}
    trainer = Trainer(parse(config, "the test"), project / name)
    trainer.run(Progress())
    assert trainer.history[-1].validation_accuracy > 0.2  # of ten classes
    assert trainer.history[-1].rates == {}


@pytest.mark.parametrize("name", ["lmuformer", "gru"])
def test_causal_baselines_do_not_look_ahead(name: str) -> None:
    torch.manual_seed(0)
    whole = torch.randn(4, STEPS, CHANNELS)
    changed = whole.clone()
    changed[:, 5:] += 1
    baseline = model(name)
    assert torch.allclose(baseline(whole[:, :5]).logits, baseline(changed[:, :5]).logits)
    assert not torch.allclose(baseline(whole).logits, baseline(changed).logits)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_may_be_as_narrow_as_the_spiking_model(name: str) -> None:
    assert model(name, channels=1)(torch.randn(2, STEPS, CHANNELS)).logits.shape == (2, CLASSES)


def test_the_transformer_knows_the_order() -> None:
    torch.manual_seed(0)
    whole, baseline = torch.randn(4, STEPS, CHANNELS), model("transformer")
    assert not torch.allclose(baseline(whole).logits, baseline(whole.flip(1)).logits, atol=1e-3)


def test_multiply_accumulates_of_a_gru() -> None:
    first, second = 3 * 8 * (CHANNELS + 8), 3 * 8 * (8 + 8)
    assert macs("gru") == STEPS * (first + second) + 8 * CLASSES


def test_multiply_accumulates_of_a_transformer() -> None:
    token = (
        2 * (4 * 8 * 8 + 2 * 4 * 8 * 8) + CHANNELS * 8
    )  # two layers: queries, keys, values, output; the two of a mixer of 4 x 8
    attention = 2 * 2 * STEPS * STEPS * 8  # scores, and the values that they weigh
    assert macs("transformer") == STEPS * token + attention + 8 * CLASSES


def test_multiply_accumulates_of_a_convolutional_network() -> None:
    places = 4 * 3, 4 * 2, 4 * 1  # of 7 steps and 5 bands: half of both, then half of the bands, twice
    separable = [(places[0], 2, 2), (places[0], 2, 2), *[(places[1], *s) for s in ((2, 3), (3, 3), (3, 3))]]
    separable += [(places[2], *s) for s in ((3, 4), (4, 4), (4, 4))]
    assert macs("cnn") == places[0] * 25 * 2 + sum(n * (9 * a + a * b) for n, a, b in separable) + 4 * CLASSES


def test_multiply_accumulates_of_an_lmuformer_step_by_step() -> None:
    embedding = 3 * (CHANNELS * 8 + 4 * 8 * 8)  # four convolutions and the residual one, three steps each
    memory = 8 * 4 + 4 * 16 * 16  # written into four channels, whose sixteen coefficients the next step is made of
    rest = (64 + 8) * 8 + 8 * 8 + 2 * 8 * 32 + 8 * CLASSES
    assert macs("lmuformer") == STEPS * (embedding + memory + rest)
    assert macs("lmuformer") - macs("lmuformer", memory=False) == STEPS * (memory + 64 * 8)


def test_without_a_baseline_it_is_the_spiking_model() -> None:
    assert isinstance(build_model(with_baseline(None), CHANNELS, CLASSES), Network)
    assert isinstance(model("lmuformer"), DenseLMUFormer)


def test_a_baseline_is_not_deployed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("tiny.toml").read_text().replace("[model]", '[model]\nbaseline = "gru"')
    Path("dense.toml").write_text(text)
    assert run("train", "dense.toml") == 0
    before = sorted(Path("netx_models").iterdir())
    capsys.readouterr()
    assert run("export", "dense.toml") == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "model.baseline is 'gru', which has no spikes" in errors
    assert sorted(Path("netx_models").iterdir()) == before


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.baseline = 'lstm'"):
        with_baseline("lstm")


def test_models_side_by_side(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dense.toml").write_text(Path("tiny.toml").read_text().replace("[model]", '[model]\nbaseline = "gru"'))
    assert run("train", "dense.toml") == 0
    assert run("simulate", "netx_models/tiny.net", "--backend", "integer") == 0
    simulated = capsys.readouterr().out
    assert run("evaluate", "runs/tiny", "runs/dense/best.npz", "--json", "--figure", "merit.svg") == 0
    spiking, dense = json.loads(capsys.readouterr().out)
    for value in (f"{100 * spiking['test']:.2f}", f"{spiking['synops']:,.0f}", f"{spiking['relay_synops']:,.0f}"):
        assert value in simulated
    assert spiking["macs"] is None
    assert all(name in Path("merit.svg").read_text() for name in (">tiny<", ">dense<"))
    assert dense["synops"] is None
    assert dense["rate"] is None
    assert dense["model"] == "Gru"
    assert dense["run"] == "runs/dense/best.npz"


def test_what_is_no_training_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", "runs/nothing") == 2
    assert capsys.readouterr().err == "error: runs/nothing: no such file: train first\n"


def test_each_value_alone_beside_what_is_set(project: Path) -> None:
    found = sweep.combinations(
        load("tiny.toml"), ["train.rate=0.01,0.02"], Path("runs"), ["model.memory=false", "model.baseline=gru,transformer"]
    )
    changes = [{}, {"model.memory": False}, {"model.baseline": "gru"}, {"model.baseline": "transformer"}]
    assert [c.settings for c in found] == [{"train.rate": rate} | change for rate in (0.01, 0.02) for change in changes]
    assert [c.config.model.baseline for c in found[:4]] == [None, None, "gru", "transformer"]


def test_a_path_as_a_value_makes_one_folder(project: Path) -> None:
    (found,) = sweep.combinations(load("tiny.toml"), ["train.start=runs/tiny/best.npz"], Path("runs"))
    assert found.folder.parent == Path("runs")
    assert found.folder.name.startswith("tiny,train.start=runs-tiny-best.npz,")
    assert found.config.train.start == "runs/tiny/best.npz"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to try: give --set KEY=VALUE,VALUE, or --each KEY=VALUE"),
        (
            ("--set", "train.rate=0.1", "--each", "train.rate=0.2"),
            "train.rate is in --set and in --each: give it to one of them",
        ),
        (("--each", "model.memories=1"), "--each model.memories=1: unknown key 'model.memories'"),
    ],
)
def test_bad_ablations_are_refused(
    project: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", "tiny.toml", *arguments) == 2
    assert message in capsys.readouterr().err
