"""The training loop: real-valued weights first, then the deployed integers in the forward pass."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn  # type: ignore[attr-defined]

from neuro_deploy.errors import ConfigError, DatasetError, ModelFileError
from neuro_deploy.files import write_atomically
from neuro_deploy.training import distributed, predecessors
from neuro_deploy.training.archive import pack
from neuro_deploy.training.checkpoint import Checkpoint, load_dict
from neuro_deploy.training.config import Config, TrainSettings
from neuro_deploy.training.data import Data, Watch, load_data, unwatched
from neuro_deploy.training.evaluation import encoded, evaluate
from neuro_deploy.training.folder import BEST, LAST
from neuro_deploy.training.log import Epoch, write_log
from neuro_deploy.training.loss import objective, rate_term, right_answers

WARM_UP = 0.1
"""Share of each phase in which the learning rate rises."""

STATE_MAX = 1 << 30
"""Bytes of a training's state: the network, perhaps its average, and two moments of each weight."""

GRADIENT_LIMIT = 1.0
"""Largest norm of a step's gradient."""


@dataclass
class Progress:
    """Hooks for whoever shows the training; all default to nothing."""

    start: Callable[[int, int], None] = field(default=lambda epochs, batches: None)
    batch: Callable[[], None] = field(default=lambda: None)
    epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)


class Trainer:
    """The state of a training; all of it is saved after each epoch in ``last.npz``, which is the whole truth.

    The best network, ``best.npz``, and the log are copies of what is in it, written after it; a training that was killed between
    them writes them when it goes on. The best network is the one with the smallest loss of the deployed integers on the validation
    split: on a hundred samples the accuracy of neighbouring epochs differs by chance.

    In each of several processes (:mod:`neuro_deploy.training.distributed`) there is one; all of them go through the same
    states, and the first writes the files.

    Args:
        config: the settings.
        folder: where the checkpoints and ``training.jsonl`` (one :class:`Epoch` a line) go.
        device: ``cpu`` or ``cuda``.
        watch: shows how far the frames of recordings are, where these are first computed.

    Raises:
        ConfigError: a checkpoint that it builds on does not fit.
        DatasetError: the data are missing or damaged, or too few to train on or to validate with.
        ModelFileError: such a checkpoint is missing or damaged.
    """

    def __init__(self, config: Config, folder: Path, device: str = "cpu", watch: Watch = unwatched) -> None:
        self.config, self.folder = config, folder
        self.data: Data = load_data(config.data, watch)
        for split, least in (("train", 2), ("validation", 1)):  # batch norm compares samples
            if (number := len(getattr(self.data, split))) < least:
                raise DatasetError(
                    f"config {config.name}: the {split} split of {config.data.name} has {number} samples: it must have at least {least}"
                )
        self.encoder = config.encoding
        self.settings: TrainSettings = config.train
        torch.manual_seed(self.settings.seed)
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        self.device = distributed.device(device)
        given = (config, self.data.channels, self.data.classes)
        self.network = predecessors.start(*given).to(self.device)
        self.teachers = nn.ModuleList(predecessors.teachers(*given)).to(self.device)
        self.optimizer = torch.optim.AdamW(_groups(self.network, self.settings.weight_decay))
        self.average = _average(self.network, self.settings.average)
        self.done = self.saved = 0
        self.best = math.inf
        self.kept: Checkpoint | None = None
        self.history: list[Epoch] = []

    @property
    def deployed(self) -> nn.Module:
        """What is validated and kept: the trained network, or the running average of its weights."""
        if self.average is None:
            return self.network
        averaged: nn.Module = self.average.module
        return averaged

    @property
    def epochs(self) -> int:
        """Epochs of the two phases."""
        return self.settings.epochs + self.settings.quantised_epochs

    def run(self, progress: Progress) -> None:
        """Train to the last epoch, or as long as it helps.

        Raises:
            OutputError: a checkpoint cannot be written.
            ConfigError: the loss is not finite any more.
        """
        batches = math.ceil(len(self.data.train) / self.settings.batch)
        progress.start(self.epochs, batches)
        if self.saved:
            self._publish(best=True)
        while not self._finished():
            epoch = self._epoch(progress)
            self.done += 1
            self.history.append(epoch)
            if epoch.validation_loss < self.best:
                self.best = epoch.validation_loss
                self.kept = self.checkpoint(epoch)
            self._save()
            progress.epoch(epoch)

    def resume(self) -> None:
        """Go on from ``last.npz``.

        Raises:
            ModelFileError: there is none, or it is damaged.
            ConfigError: it is of other settings.
        """
        path = self.folder / LAST
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file: train without --resume")
        state = load_dict(path, STATE_MAX)
        if state.get("config") != self.config.model_dump(mode="json"):
            raise ConfigError(
                f"config {self.config.name}: {path} was made with other settings: train without --resume, or restore them"
            )
        try:
            self.network.load_state_dict(state["network"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            moments = {int(index): values for index, values in state["optimizer"]["state"].items()}  # JSON has texts as keys
            self.optimizer.load_state_dict({**state["optimizer"], "state": moments})
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["random"])
            self.done, self.best = state["done"], float(state["best"])
            self.history = [Epoch(**epoch) for epoch in state["history"]]
            self.kept = self._restored(state["kept"]) if "kept" in state else None  # older versions kept it in best.npz alone
            self.saved = self.done
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ModelFileError(f"{path}: not the state of this training, or damaged: train without --resume") from error

    def checkpoint(self, epoch: Epoch) -> Checkpoint:
        """The network as it is now."""
        weights = {key: value.to("cpu", copy=True) for key, value in self.deployed.state_dict().items()}
        return Checkpoint(
            self.config, self.data.classes, self.data.channels, self.data.steps, weights, epoch.epoch, epoch.validation_accuracy
        )

    def _restored(self, kept: Mapping[str, Any]) -> Checkpoint:
        return Checkpoint(self.config, self.data.classes, self.data.channels, self.data.steps, **kept)

    def _save(self) -> None:
        state: dict[str, Any] = {
            "config": self.config.model_dump(mode="json"),
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "done": self.done,
            "best": self.best,
            "history": [vars(epoch) for epoch in self.history],
        }
        if self.kept is not None:
            state["kept"] = {"weights": self.kept.weights, "epoch": self.kept.epoch, "accuracy": self.kept.accuracy}
        if distributed.rank() == 0:
            write_atomically(self.folder / LAST, pack(state))
        self.saved = self.done
        self._publish(self.kept is not None and self.kept.epoch == self.done)

    def _publish(self, best: bool) -> None:
        """Write what is read without ``last.npz``: the log, and the best network if it has changed."""
        if distributed.rank() > 0:
            return
        if best and self.kept is not None:
            write_atomically(self.folder / BEST, self.kept.to_bytes())
        write_log(self.folder, self.history)

    def _epoch(self, progress: Progress) -> Epoch:
        begin = time.perf_counter()
        quantised, _ = self._phase()
        self.network.train()
        loss_sum = correct = count = 0.0
        batches = list(self._batches())
        for index, (samples, labels) in enumerate(batches):
            self._set_rate(index / len(batches))
            loss, right = self._step(samples, labels, quantised)
            loss_sum += loss * len(labels)
            correct += right
            count += len(labels)
            progress.batch()
        for name, value in self.network.state_dict().items():
            self._require_finite(name, value)
        validation = evaluate(self.deployed, self.data.validation, self.encoder, quantised=True)
        return Epoch(
            epoch=self.done + 1,
            phase="quantised" if quantised else "real",
            loss=loss_sum / count,
            accuracy=correct / count,
            validation_accuracy=validation.accuracy,
            validation_loss=validation.loss + float(rate_term(_mean(validation.rates), self.settings)),
            rates=validation.rates,
            seconds=time.perf_counter() - begin,
        )

    def _phase(self) -> tuple[bool, int]:
        """Whether the next epoch has quantised weights, and which epoch, from 0, is or was the first of its phase."""
        real = [epoch for epoch in self.history if epoch.phase == "real"]
        if len(real) < len(self.history) or len(real) >= self.settings.epochs or self._stalled(real):
            return True, len(real)
        return False, 0

    def _finished(self) -> bool:
        quantised, begin = self._phase()
        return quantised and (self.done - begin >= self.settings.quantised_epochs or self._stalled(self.history[begin:]))

    def _stalled(self, epochs: Sequence[Epoch]) -> bool:
        """The last epochs of a phase, as many as the patience, have not brought a smaller validation loss."""
        patience = self.settings.patience
        if patience is None or not epochs:
            return False
        losses = [epoch.validation_loss for epoch in epochs]
        return len(losses) - 1 - losses.index(min(losses)) >= patience

    def _step(self, samples: Tensor, labels: Tensor, quantised: bool) -> tuple[float, float]:
        """One step on a whole batch, of which this process computes its part; the batch's mean loss and number of right answers."""
        mine = distributed.part(len(labels))
        frames, own = encoded(samples[mine], self.encoder).to(self.device), labels[mine].to(self.device)
        output = self.network(frames, quantised)
        loss = objective(output, own, self.settings, len(labels), self._taught(frames))
        sums = distributed.total(torch.stack([loss.detach(), right_answers(output.logits, own).to(loss)]))
        self._require_finite("the loss", sums)
        self.optimizer.zero_grad()
        loss.backward()
        distributed.sum_gradients(self.network.parameters())
        clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        mean, right = sums.tolist()
        return mean, right

    @torch.no_grad()
    def _taught(self, frames: Tensor) -> Tensor | None:
        """The mean of the teachers' answers, if there are teachers."""
        if not self.teachers:
            return None
        return torch.stack([teacher(frames, quantised=True).logits.softmax(1) for teacher in self.teachers]).mean(0)

    def _require_finite(self, what: str, values: Tensor) -> None:
        if torch.isfinite(values).all():
            return
        key = "quantised_rate" if self._phase()[0] else "rate"
        raise ConfigError(
            f"config {self.config.name}: {what} has a NaN or an infinity in epoch {self.done + 1}: "
            f"lower train.{key} (now {getattr(self.settings, key):g})"
        )

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented samples and labels in a new random order; a last batch of one sample is dropped (batch norm needs two)."""
        split = self.data.train
        order = torch.randperm(len(split), generator=self.generator)
        for chosen in order.split(self.settings.batch):
            if len(chosen) > 1:
                samples = torch.from_numpy(split.samples[chosen.numpy()])
                yield self.data.augment(samples, torch.from_numpy(split.labels[chosen.numpy()]), self.generator)

    def _set_rate(self, part: float) -> None:
        """The learning rate at a part of the present epoch."""
        settings = self.settings
        quantised, begin = self._phase()
        peak, length = (settings.quantised_rate, settings.quantised_epochs) if quantised else (settings.rate, settings.epochs)
        position = (self.done - begin + part) / length
        rise = min(1.0, position / WARM_UP)
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, position - WARM_UP) / (1 - WARM_UP)))
        for group in self.optimizer.param_groups:
            group["lr"] = peak * rise * fall


def _mean(rates: Mapping[str, float]) -> Tensor:
    """Of the populations; 0 for a model without."""
    return torch.tensor(list(rates.values()) or [0.0]).mean()


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on the maps' weights alone, not on norms and biases."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim == 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _average(network: nn.Module, kept: float | None) -> AveragedModel | None:
    """A running average of weights and of batch norm's statistics; None if none is kept."""
    if kept is None:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(kept), use_buffers=True)  # type: ignore[call-arg]
