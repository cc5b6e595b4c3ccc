"""Sweeps: every combination once, resumable, ranked by the validation split."""

import json
from pathlib import Path

import pytest
from commands import run

from neuro_deploy.errors import ConfigError
from neuro_deploy.training import sweep
from neuro_deploy.training.config import load
from neuro_deploy.training.log import read_log
from neuro_deploy.training.loop import Trainer

SHORT = ("--set", "train.quantised_epochs=0", "--set", "model.patch_embedding=false", "--set", "model.mixer=false")


def test_every_combination_of_the_values(project: Path) -> None:
    options = ["train.rate=0.003,1e-2,0.01", "model.channels=4, 8", "data.permute=true"]
    found = sweep.combinations(load("tiny.toml"), options, Path("runs"))
    assert [combination.settings for combination in found] == [
        {"train.rate": rate, "model.channels": channels, "data.permute": True} for rate in (0.003, 0.01) for channels in (4, 8)
    ]
    assert [(c.config.train.rate, c.config.model.channels) for c in found] == [(0.003, 4), (0.003, 8), (0.01, 4), (0.01, 8)]
    assert found[0].folder == Path("runs/tiny,train.rate=0.003,model.channels=4,data.permute=True")
    assert found[0].config.train.batch == 256


def test_a_value_may_be_a_list(project: Path) -> None:
    found = sweep.combinations(load("tiny.toml"), ["model.filters=[4, 8], [6]", "train.rate=0.01,0.02,"], Path("runs"))
    assert [c.config.model.filters for c in found] == [(4, 8), (4, 8), (6,), (6,)]
    assert found[0].folder == Path("runs/tiny,model.filters=4-8,train.rate=0.01")


def test_a_folder_for_each_combination_however_long_or_alike_its_settings(project: Path) -> None:
    assert sweep.folder_name("a", {"train.rate": 0.1, "model.filters": (4, 8), "model.baseline": "gru"}) == (
        "a,train.rate=0.1,model.filters=4-8,model.baseline=gru"
    )
    starts = ("b/c.npz", "b-c.npz", "B/c.npz", "../b", "b" * 300, "b" * 301)
    alike = [sweep.folder_name("a", {"train.start": start}) for start in starts]
    assert len({name.lower() for name in alike}) == len(alike)
    assert all("/" not in name and len(name) < 220 for name in alike)
    many = {f"train.{key * 20}": 0.5 for key in "abcdefghijklm"}
    names = {sweep.folder_name("\u00e9" * 50, many | {"train.last": last}) for last in (1, 2)}
    assert len(names) == 2
    assert all(len(name.encode()) < 220 for name in names)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("train.speed=1", "unknown key 'train.speed'"),
        ("train=1", "unknown key 'train'"),
        ("name=other", "unknown key 'name'"),
        ("train.rate", "train.rate = ''"),
        ("train.rate=0.1,-1", "train.rate = -1: input should be greater than 0"),
        ("train.rate=0.1,,0.2", "train.rate = ''"),
        ("model.filters=[4, 0]", "model.filters.1 = 0: input should be greater than or equal to 1"),
        ("model.channels=many", "model.channels = 'many'"),
        ("train.batch=8", "train.batch is set twice"),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(
    project: Path, option: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", "tiny.toml", "--set", "train.batch=128,256", "--set", option) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors
    assert [path.name for path in Path("runs").iterdir()] == ["tiny"]


def test_a_sweep_trains_what_is_not_trained_yet(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sweep", "tiny.toml", "--set", "train.rate=0.01,0.003", *SHORT, "--set", "train.epochs=2")
    epoch, started = Trainer._epoch, []

    def interrupted(self: Trainer, *arguments: object) -> object:
        if len(started) == 3:
            raise KeyboardInterrupt
        started.append((self.settings.rate, self.done))
        return epoch(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    assert run(*command) == 130
    assert capsys.readouterr().err == "note: stopped after 1 of 2; the same command continues\n"
    assert run(*command) == 130
    assert started == [(0.01, 0), (0.01, 1), (0.003, 0)]
    started.clear()
    assert run(*command) == 0
    assert started == [(0.003, 1)], "the first has finished, the second one's first epoch is kept"
    shown = capsys.readouterr().out

    values = json.loads(Path("runs/tiny-sweep.json").read_text())
    assert values["config"] == "tiny"
    losses = [result["validation_loss"] for result in values["results"]]
    assert losses == sorted(losses)
    assert {result["settings"]["train.rate"] for result in values["results"]} == {0.01, 0.003}
    for result in values["results"]:
        log = read_log(Path(result["folder"]))
        best = min(log, key=lambda line: line["validation_loss"])
        assert len(log) == 2
        assert result["epoch"] == best["epoch"]
        assert result["validation_accuracy"] == best["validation_accuracy"]
        assert result["seconds"] == sum(line["seconds"] for line in log)
        assert result["error"] is None
        assert f"{result['validation_loss']:.4f}" in shown


def test_trainings_at_once_give_the_same(project: Path) -> None:
    command = ("sweep", "tiny.toml", "--set", "train.seed=1,2", *SHORT)
    assert run(*command) == 0
    folders = sorted(Path("runs").glob("tiny,*"))
    expected = [(folder / "best.npz").read_bytes() for folder in folders]
    for folder in folders:
        folder.rename(f"{folder}.before")
    assert run(*command, "--jobs", 2) == 0
    assert [(folder / "best.npz").read_bytes() for folder in folders] == expected


def test_a_folder_of_other_settings_is_trained_anew(project: Path) -> None:
    (project / "runs" / "tiny,train.seed=0").symlink_to(project / "runs" / "tiny")
    config = load("tiny.toml")
    changed = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 2, "quantised_epochs": 0})})
    (result,) = sweep.run(sweep.combinations(changed, ["train.seed=0"], project / "runs"), jobs=1)
    assert [line["phase"] for line in read_log(Path(result.folder))] == ["real", "real"]


def test_a_training_that_diverges_is_a_row(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverge(*arguments: object) -> object:
        raise ConfigError("the loss has a NaN")

    monkeypatch.setattr(Trainer, "_epoch", diverge)
    assert run("sweep", "tiny.toml", "--set", "train.rate=1") == 0
    assert "-*" in capsys.readouterr().out
    (result,) = json.loads(Path("runs/tiny-sweep.json").read_text())["results"]
    assert result["validation_loss"] is None
    assert result["error"] == "the loss has a NaN"
