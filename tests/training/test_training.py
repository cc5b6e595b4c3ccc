"""The training loop: deterministic, resumable, and honest in its log."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from neuro_deploy.errors import ConfigError, ModelFileError
from neuro_deploy.training.checkpoint import read
from neuro_deploy.training.config import Config, parse
from neuro_deploy.training.evaluation import evaluate
from neuro_deploy.training.log import Epoch, read_log
from neuro_deploy.training.loop import Progress, Trainer


def tiny_config(**train: float | str) -> Config:
    return parse(
        {
            "name": "tiny",
            "data": {"name": "digits", "validation": 0.5},
            "encoder": {"bits": 5},
            "model": {"channels": 4, "memory_channels": 2, "memory_order": 2, "memory_length": 4, "mixer_ratio": 1},
            "train": {"epochs": 2, "quantised_epochs": 2, "batch": 256, "rate": 0.01} | train,
        },
        "the test",
    )


def without_seconds(history: list[Epoch]) -> list[dict[str, object]]:
    return [{key: value for key, value in asdict(epoch).items() if key != "seconds"} for epoch in history]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trainer = Trainer(tiny_config(), tmp_path_factory.mktemp("whole"))
    trainer.run(Progress())
    return trainer


def test_the_same_seed_gives_the_same_network_and_another_one_does_not(whole: Trainer, tmp_path: Path) -> None:
    again = Trainer(tiny_config(), tmp_path)
    again.run(Progress())
    assert (again.folder / "best.npz").read_bytes() == (whole.folder / "best.npz").read_bytes()
    assert without_seconds(again.history) == without_seconds(whole.history)
    other = Trainer(tiny_config(seed=1), tmp_path / "other")
    assert not torch.equal(other.network.maps["head"].weight, Trainer(tiny_config(), tmp_path).network.maps["head"].weight)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_training_ends_where_an_unbroken_one_does(whole: Trainer, tmp_path: Path, stop: int) -> None:
    """Interrupted in the middle of an epoch; what was finished before it counts."""
    batches = 0

    def interrupt() -> None:
        nonlocal batches
        batches += 1
        if batches == stop * 3 + 2:
            raise KeyboardInterrupt

    first = Trainer(tiny_config(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        first.run(Progress(batch=interrupt))
    assert first.done == stop
    assert len(read_log(tmp_path)) == stop
    second = Trainer(tiny_config(), tmp_path)
    second.resume()
    second.run(Progress())
    assert without_seconds(second.history) == without_seconds(whole.history)
    assert (tmp_path / "best.npz").read_bytes() == (whole.folder / "best.npz").read_bytes()


def test_the_log_has_what_was_measured(whole: Trainer) -> None:
    lines = (whole.folder / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [json.loads(line)["phase"] for line in lines] == ["real", "real", "quantised", "quantised"]
    last = json.loads(lines[-1])
    found = evaluate(whole.network, whole.data.validation, whole.encoder, quantised=True)
    assert last["validation_accuracy"] == found.accuracy
    assert last["rates"] == found.rates
    assert set(found.rates) == set(whole.network.populations)


def test_the_quantised_phase_leaves_the_statistics_alone(tmp_path: Path) -> None:
    trainer = Trainer(tiny_config(epochs=0, quantised_epochs=1), tmp_path)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run(Progress())
    after = trainer.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)
    assert any(not torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))


def test_an_averaged_training_resumes_too(tmp_path: Path) -> None:
    config = tiny_config(average=0.5)
    unbroken = Trainer(config, tmp_path / "unbroken")
    unbroken.run(Progress())
    first = Trainer(config, tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        first.run(Progress(epoch=_interrupt))
    second = Trainer(config, first.folder)
    second.resume()
    second.run(Progress())
    assert without_seconds(second.history) == without_seconds(unbroken.history)
    assert (first.folder / "best.npz").read_bytes() == (unbroken.folder / "best.npz").read_bytes()


def _interrupt(epoch: Epoch) -> None:
    raise KeyboardInterrupt


def test_what_is_deployed_is_the_average_of_the_weights(tmp_path: Path) -> None:
    trainer = Trainer(tiny_config(epochs=1, quantised_epochs=0, batch=512, average=0.75), tmp_path)
    seen = []
    step = trainer.optimizer.step

    def watched() -> None:
        step()
        seen.append(trainer.network.readout.bias.detach().clone())

    trainer.optimizer.step = watched
    trainer.run(Progress())
    expected = seen[0]
    for weights in seen[1:]:
        expected = 0.75 * expected + 0.25 * weights
    assert len(seen) > 1
    torch.testing.assert_close(trainer.checkpoint(trainer.history[-1]).weights["readout.bias"], expected)
    found = evaluate(trainer.deployed, trainer.data.validation, trainer.encoder, quantised=True)
    assert trainer.history[-1].validation_loss == found.loss


def test_the_best_epoch_is_that_of_what_is_made_small_spikes_included(tmp_path: Path) -> None:
    trainer = Trainer(tiny_config(epochs=0, quantised_epochs=1, target_rate=0.01, rate_weight=2.0), tmp_path)
    trainer.run(Progress())
    found = evaluate(trainer.network, trainer.data.validation, trainer.encoder, quantised=True)
    rate = sum(found.rates.values()) / len(found.rates)
    assert rate > 0.01
    assert trainer.history[-1].validation_loss == pytest.approx(found.loss + 2 * (rate / 0.01 - 1) ** 2, rel=1e-5)


def test_a_training_goes_on_from_a_checkpoint(whole: Trainer, tmp_path: Path) -> None:
    best = whole.folder / "best.npz"
    trainer = Trainer(tiny_config(start=str(best), epochs=0, quantised_epochs=1, seed=7), tmp_path)
    weights = read(best).weights
    assert all(torch.equal(value, weights[name]) for name, value in trainer.network.state_dict().items())


def test_a_start_of_another_architecture_is_refused(whole: Trainer, tmp_path: Path) -> None:
    values = tiny_config(start=str(whole.folder / "best.npz")).model_dump()
    values["model"]["channels"] = 5
    with pytest.raises(ConfigError, match="is of another architecture"):
        Trainer(parse(values, "the test"), tmp_path)
    with pytest.raises(ModelFileError, match="no such file"):
        Trainer(tiny_config(start=str(tmp_path / "none.npz")), tmp_path)


def test_a_teacher_changes_what_is_learnt_and_not_itself(whole: Trainer, tmp_path: Path) -> None:
    best = whole.folder / "best.npz"
    taught = Trainer(tiny_config(teachers=[str(best)], teacher_share=0.9), tmp_path)
    taught.run(Progress())
    assert without_seconds(taught.history) != without_seconds(whole.history)
    (teacher,) = taught.teachers
    weights = read(best).weights
    assert all(torch.equal(value, weights[name]) for name, value in teacher.state_dict().items())


def test_several_teachers_agree_on_the_mean_of_their_answers(whole: Trainer, tmp_path: Path) -> None:
    best, other = whole.folder / "best.npz", tmp_path / "other.npz"
    checkpoint = read(best)
    halved = {name: value / 2 if value.is_floating_point() else value for name, value in checkpoint.weights.items()}
    other.write_bytes(replace(checkpoint, weights=halved).to_bytes())
    several, first, second = (
        Trainer(tiny_config(teachers=[str(path) for path in paths], teacher_share=1.0), tmp_path)
        for paths in ((best, other), (best,), (other,))
    )
    frames = torch.randint(0, 17, (3, several.data.steps, several.data.channels)).float()
    answers = [trainer._taught(frames) for trainer in (several, first, second)]
    assert answers[1] is not None
    assert not torch.allclose(answers[1], answers[2])  # type: ignore[arg-type]
    torch.testing.assert_close(answers[0], (answers[1] + answers[2]) / 2)  # type: ignore[operator]


def test_a_teacher_of_something_else_is_refused(whole: Trainer, tmp_path: Path) -> None:
    values = tiny_config(teachers=[str(whole.folder / "best.npz")], teacher_share=0.5).model_dump()
    values["encoder"]["bits"] = 4
    with pytest.raises(ConfigError, match="has other classes, another encoder or another front end"):
        Trainer(parse(values, "the test"), tmp_path)
    with pytest.raises(ConfigError, match="teachers and teacher_share belong together"):
        tiny_config(teachers=["t.npz"])


def test_resume_needs_the_same_settings(whole: Trainer) -> None:
    with pytest.raises(ConfigError, match="made with other settings"):
        Trainer(tiny_config(rate=0.02), whole.folder).resume()


def test_resume_needs_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"last.npz: no such file"):
        Trainer(tiny_config(), tmp_path).resume()
