"""Sweeps: train every combination of some settings and rank them by the validation split; the test split stays unseen.

A combination's folder is named by its settings. A training that is found there and was made with the very same settings is gone on
with; one that has finished is only read. So a sweep that was stopped is resumed by running it again.
"""

import hashlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, delayed

from neuro_deploy.errors import ConfigError
from neuro_deploy.files import parse_toml, write_atomically
from neuro_deploy.training.config import Config, flat, known_keys, parse
from neuro_deploy.training.folder import LAST, FolderInUseError, occupied
from neuro_deploy.training.loop import Progress, Trainer
from neuro_deploy.training.models.registry import parameters

RESULT_FORMAT = 1

_NAME_BYTES = 200
"""Bytes of a folder's name without its checksum; file systems take 255, and some tools add a suffix."""

_T = TypeVar("_T")

Settings = Mapping[str, object]
"""Values by dotted key, as in ``{"train.rate": 0.003}``."""


@dataclass(frozen=True)
class Combination:
    """One training of a sweep.

    Attributes:
        settings: what the sweep sets, by dotted key.
        config: all settings.
        folder: where its checkpoints and its log go.
    """

    settings: Settings
    config: Config
    folder: Path


@dataclass(frozen=True)
class Result:
    """One training's result; of the epoch with the smallest validation loss, as in ``best.npz``.

    Attributes:
        settings: what the sweep set.
        folder: of the training.
        parameters: trained numbers of the network.
        seconds: wall time of all its epochs.
        epoch: the best, from 1.
        validation_accuracy: of the deployed integers.
        validation_loss: loss of the deployed integers, with the rate term.
        error: why the training ended before its last epoch; then the best epoch's numbers may be None.
    """

    settings: Settings
    folder: str
    parameters: int
    seconds: float
    epoch: int | None
    validation_accuracy: float | None
    validation_loss: float | None
    error: str | None


def combinations(config: Config, options: Sequence[str], runs: Path, alone: Sequence[str] = ()) -> list[Combination]:
    """Every combination of the values that options give.

    Args:
        config: every other setting.
        options: each a key and its values, ``train.rate=0.003,0.01``; written as in the configuration file, quotes may be left out.
        runs: folder of the combinations' folders.
        alone: like the options, but each value changes nothing else: with every combination of the options there is one without any
            of these values and one with each of them, as in a table of ablations.

    Raises:
        ConfigError: an unknown key, or a value that it cannot have.
    """
    values = _values(config, "--set", options)
    single = _values(config, "--each", alone)
    if both := values.keys() & single.keys():
        raise ConfigError(f"{min(both)} is in --set and in --each: give it to one of them")
    changes: list[dict[str, object]] = [{}, *({key: value} for key, chosen in single.items() for value in chosen)]
    found = [
        _combine(config, dict(zip(values, chosen, strict=True)) | change, runs)
        for chosen in itertools.product(*values.values())
        for change in changes
    ]
    return list({combination.folder: combination for combination in found}.values())


def _values(config: Config, option: str, texts: Sequence[str]) -> dict[str, list[object]]:
    """The values of each key of an option."""
    values: dict[str, list[object]] = {}
    known = [key for key in known_keys(config) if key != "name"]
    for text in texts:
        key, _, chosen = text.partition("=")
        if key not in known:
            raise ConfigError(f"{option} {text}: unknown key {key!r}: use KEY=VALUE,VALUE with one of {', '.join(known)}")
        if key in values:
            raise ConfigError(f"{option} {text}: {key} is set twice: give all its values in one {option}")
        values[key] = _items(chosen)
    return values


def _items(text: str) -> list[object]:
    """Values as TOML has them between brackets, which may be lists themselves; or else each of them for itself."""
    with suppress(ValueError):
        if items := list(parse_toml(f"value = [{text}]")["value"]):
            return items
    return [_value(item.strip()) for item in text.split(",")]


def _value(text: str) -> object:
    """A value as TOML has it, or else the text."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def _combine(config: Config, chosen: Settings, runs: Path) -> Combination:
    values = config.model_dump()
    for key, value in chosen.items():
        *sections, name = key.split(".")
        reduce(getitem, sections, values)[name] = value
    checked = parse(values, f"{config.name} with --set")
    now = flat(checked.model_dump())
    settings = {key: now[key] for key in chosen}  # as they were understood: 1e-2 is 0.01
    return Combination(settings, checked, runs / folder_name(config.name, settings))


def folder_name(name: str, settings: Settings) -> str:
    """The name of a combination's folder, of its own and not too long for a file system.

    Values that are not plain, as paths, and what is too long are cut; a checksum of all settings then tells folders apart.
    """
    written = ",".join([name, *(f"{key}={_in_a_name(value)}" for key, value in settings.items())])
    plain = re.sub(r"[^\w.,=+-]", "-", written)
    cut = os.fsencode(plain)[:_NAME_BYTES].decode(errors="ignore")
    if cut == written and all(map(_is_plain, settings.values())):
        return written
    digest = hashlib.sha256(json.dumps([name, dict(settings)]).encode()).hexdigest()[:12]
    return f"{cut},{digest}"


def _in_a_name(value: object) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _is_plain(value: object) -> bool:
    """Whether no other value of the setting has this name, where small letters and capitals are one, too."""
    parts = value if isinstance(value, tuple) else (value,)
    return all(not isinstance(part, str) or re.fullmatch(r"[a-z_][a-z0-9_.]*", part) for part in parts)


def run(found: Sequence[Combination], jobs: int) -> Iterator[Result]:
    """Train all combinations, ``jobs`` at a time where joblib says; results as they come.

    Those that another process trains just now come last, when it has done so.

    Raises:
        ModelFileError: a folder holds a damaged training.
        OutputError: a file cannot be written.
    """
    busy = []
    for result in _parallel(jobs, _train_unless_busy, found):
        if isinstance(result, Result):
            yield result
        else:
            busy.append(result)
    yield from _parallel(jobs, _train, busy)


def _parallel(jobs: int, function: Callable[[Combination], _T], items: Sequence[Combination]) -> Iterator[_T]:
    results: Iterator[_T] = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(function)(item) for item in items)
    return results


def _train_unless_busy(item: Combination) -> Result | Combination:
    """The result, or the combination itself where another process trains it."""
    try:
        return _train(item, wait=False)
    except FolderInUseError:
        return item


def _train(item: Combination, wait: bool = True) -> Result:
    with occupied(item.folder, wait):
        return _trained(item)


def _trained(item: Combination) -> Result:
    trainer, error = Trainer(item.config, item.folder), None
    if (item.folder / LAST).is_file():
        with suppress(ConfigError):  # the rest of the configuration has changed since: a new training
            trainer.resume()
    try:
        trainer.run(Progress())
    except ConfigError as diverged:
        error = str(diverged)
    best = min(trainer.history, key=lambda epoch: epoch.validation_loss, default=None)
    return Result(
        settings=item.settings,
        folder=str(item.folder),
        parameters=parameters(trainer.network),
        seconds=sum(epoch.seconds for epoch in trainer.history),
        epoch=None if best is None else best.epoch,
        validation_accuracy=None if best is None else best.validation_accuracy,
        validation_loss=None if best is None else best.validation_loss,
        error=error,
    )


def ranked(results: Sequence[Result]) -> list[Result]:
    """The smallest validation loss first, trainings without one last."""
    return sorted(results, key=lambda r: float("inf") if r.validation_loss is None else r.validation_loss)


def save(config: str, results: Sequence[Result], path: Path) -> None:
    """Write results as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    values: dict[str, Any] = {"format_version": RESULT_FORMAT, "config": config, "results": [asdict(r) for r in results]}
    write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())
