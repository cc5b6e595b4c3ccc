"""A training's progress on the terminal: a bar for the batches and a line for each epoch."""

from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from neuro_deploy.training.log import Epoch
from neuro_deploy.training.loop import Progress as Hooks


class TrainingProgress:
    """A context in which :meth:`hooks` report to a console.

    Args:
        console: where to.
        done: epochs that were finished before.
    """

    def __init__(self, console: Console, done: int = 0) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._done = done
        self._epochs = 0

    def __enter__(self) -> "TrainingProgress":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take the bar away."""
        self._progress.stop()

    def hooks(self, batch: Callable[[], None]) -> Hooks:
        """What the training loop calls; ``batch`` is called after each batch, too."""

        def advance() -> None:
            self._progress.advance(self._task)
            batch()

        return Hooks(start=self._start, batch=advance, epoch=self._epoch)

    def _start(self, epochs: int, batches: int) -> None:
        self._epochs = epochs
        self._task = self._progress.add_task("training", total=epochs * batches, completed=self._done * batches)

    def _epoch(self, epoch: Epoch) -> None:
        rates = epoch.rates.values()
        self._progress.console.print(
            f"epoch {epoch.epoch:3d}/{self._epochs} {epoch.phase:9s} loss {epoch.loss:.3f}  "
            f"accuracy {100 * epoch.accuracy:5.1f} %  validation (deployed) {100 * epoch.validation_accuracy:5.1f} %  "
            f"firing {100 * sum(rates) / max(1, len(rates)):4.1f} %  {epoch.seconds:.1f} s",
            highlight=False,
        )
