"""Configurations: what is refused, and what the message says."""

import json
from pathlib import Path

import pytest

from neuro_deploy.errors import ConfigError
from neuro_deploy.training.config import CONFIGS, load, parse, require_same

MINIMAL = '[data]\nname = "digits"\n[encoder]\nbits = 5\n[train]\nepochs = 1\nquantised_epochs = 1\n'


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_config_of_the_project_is_valid(path: Path) -> None:
    assert load(path.stem).name == path.stem
    assert load(str(path)) == load(path.stem)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("bits = 5", "bits = 5\nbit = 2"), "unknown key encoder.bit"),
        (("[train]", "[trian]"), "train is missing; unknown key trian"),
        (("bits = 5", "bits = 0"), "encoder.bits = 0: input should be greater than or equal to 1"),
        (("bits = 5", 'bits = "many"'), "encoder.bits = 'many': input should be a valid integer"),
        (
            ('"digits"', '"letters"'),
            "data.name = 'letters': use one of 'digits', ",
        ),
        (("epochs = 1\nquantised_epochs = 1", "epochs = 0\nquantised_epochs = 0"), "nothing to train"),
        (("bits = 5", "bits = 5\nscale = nan"), "encoder.scale = nan"),
        (("[train]", "[model]\nchannels = 0\n[train]"), "model.channels = 0"),
        (("[train]", "[neuron]\nvoltage_decay = 4096\n[train]"), "neuron.voltage_decay = 4096"),
        (("[train]", "[train"), "not TOML"),
    ],
)
def test_a_bad_config_is_refused_in_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MINIMAL.replace(*change))
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"config nothing: cannot read .*known configs: .*digits"):
        load("nothing")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        load(str(tmp_path / "bad.toml"))


def test_a_checkpoint_of_other_settings_is_refused_but_another_seed_is_not() -> None:
    settings = load("digits").model_dump()
    require_same(parse(settings | {"train": settings["train"] | {"seed": 7}}, "a"), load("digits"), Path("best.npz"))
    other = parse(settings | {"model": settings["model"] | {"channels": 7}}, "b")
    with pytest.raises(ConfigError, match=r"model.channels is \d+, but best.npz was trained with 7 \(1 such settings\)"):
        require_same(other, load("digits"), Path("best.npz"))


def test_a_setting_that_is_not_given_is_not_written() -> None:
    """So that newer settings leave the checkpoints of older configurations as they were."""
    shipped = json.loads(Path("netx_models/digits.json").read_text())["settings"]
    assert load("digits").model_dump() == shipped
    values = load("digits").model_dump()
    given = parse(values | {"train": values["train"] | {"patience": 3}}, "the test").model_dump()
    assert given["train"] == values["train"] | {"patience": 3}
    with pytest.raises(ConfigError, match="target_rate and rate_weight belong together"):
        parse(values | {"train": values["train"] | {"target_rate": 0.1}}, "the test")


def test_a_key_of_the_data_is_named_without_the_data_set(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MINIMAL.replace('name = "digits"', 'name = "spoken_digits"\n[data.front_end]\nrate = 16000\nhertz = 3'))
    with pytest.raises(ConfigError, match=r"unknown key data.front_end.hertz$"):
        load(str(path))
