"""Recognise words in recordings."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.audio import HIGHEST_RATE, LOWEST_RATE
from neuro_deploy.cli.common import ModelPath, console, user_path
from neuro_deploy.cli.messages import complain, note
from neuro_deploy.errors import ConfigError, InputError
from neuro_deploy.recognition import STREAM
from neuro_deploy.workbench.bench import load_model

if TYPE_CHECKING:
    from neuro_deploy.recognition.answers import Answer


def classify(
    model: ModelPath,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.wav...", parser=user_path, help="Recordings, folders of them, or - for raw 16-bit mono sound."
        ),
    ],
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Backend that runs the network; a stream always runs on fast.")
    ] = "fast",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence at which to decide early; default: decide at the end.")
    ] = None,
    words: Annotated[str | None, typer.Option(metavar="WORD,...", help="Restrict the answer to these words.")] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=LOWEST_RATE, max=HIGHEST_RATE, help="Sample rate of a stream in Hz; default: the network's."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a list of objects: file, word, score, step, latency, start.")
    ] = False,
) -> None:
    """Recognise the word in each recording, or in each second of a stream.

    A recording that cannot be used is reported on standard error, the others are still processed, and the exit code is 2. 'step' is
    the step of the sample after which the word was decided, 'latency' the number of chip steps until then.
    """
    from neuro_deploy.backends import Options, create
    from neuro_deploy.netx import load_network
    from neuro_deploy.recognition.answers import front_end, rule
    from neuro_deploy.recognition.files import recognise, recordings
    from neuro_deploy.recognition.stream import listen

    extras.require("kaldi_native_fbank", "soxr", "soundfile")
    network = load_network(model)
    heard = front_end(network, model)
    rules = rule(network, threshold, None if words is None else [word.strip() for word in words.split(",")])
    refused: list[InputError] = []

    def refuse(error: InputError) -> None:
        refused.append(error)
        complain(str(error))

    if Path(STREAM) in files:
        if len(files) > 1 or backend != "fast":
            raise ConfigError("- is a stream, decided step by step: give it alone, on the backend fast")
        found: Iterable[Answer] = listen(network, heard, rules, sys.stdin.buffer, rate)
    elif rate is not None:
        raise ConfigError("--rate is for a stream (-): a file says its own")
    else:
        runner = create(backend, Options(load=load_model))
        found = recognise(network, runner, heard, rules, recordings(files, refuse), refuse, note)
    if as_json:
        _print_json(found)
    else:
        _print_lines(found, rules.words)
    if refused:
        raise typer.Exit(2)


def _print_lines(answers: "Iterable[Answer]", words: Sequence[str]) -> None:
    """One line each, as soon as it is known."""
    width = max(len(word) for word in ("word", *words))
    console.print(f"{'word':{width}}  score  step  latency  file", style="bold")
    for answer in answers:
        where = answer.file + (f" from {answer.start:g} s" if answer.file == STREAM else "")
        line = f"{answer.word:{width}}  {answer.score:5.2f}  {answer.step:4}  {answer.latency:7}  {where}"
        console.print(line, soft_wrap=True)


def _print_json(answers: "Iterable[Answer]") -> None:
    """A list, whose objects are written as soon as they are known; it is closed also where an error ends it."""
    separator = "[\n"
    try:
        for answer in answers:
            console.print(separator + json.dumps(asdict(answer)), end="", soft_wrap=True)
            separator = ",\n"
    finally:
        console.print("[]" if separator == "[\n" else "\n]")
