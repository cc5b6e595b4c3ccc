"""Cost tables: what one event costs, as somebody published it.

A table is a TOML file; those in ``energy/tables`` are known by their names, any other is given as a path. The fields are those of
:class:`Table`.
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from neuro_deploy.errors import ConfigError, problems
from neuro_deploy.files import parse_toml, read_text, reason, remedy

_FOLDER = resources.files("neuro_deploy.measure.energy") / "tables"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Cost: TypeAlias = Annotated[float, Field(ge=0, strict=True)]
"""Not negative; in strict mode a text that looks like a number is none."""


class Energies(_Strict):
    """Energy of one event, in pJ.

    Attributes:
        access: a neuron at a step, whatever happens there.
        update: what an active update costs beyond that; :class:`neuro_deploy.measure.counts.SegmentCounts` says what is active.
        spike: a spike at its neuron.
        synop: a synaptic operation.
        packet: an event on its way to one core.
        hop_x: a packet from one tile to its neighbour in the east or west.
        hop_y: a packet to the next tile in the north or south.
    """

    access: Cost
    update: Cost
    spike: Cost
    synop: Cost
    packet: Cost
    hop_x: Cost
    hop_y: Cost


class Times(_Strict):
    """How long a core is busy with one event, in ns.

    Attributes:
        access: a neuron at a step.
        update: what an active update takes beyond that.
        spike: a spike at its neuron.
        synop: a synaptic operation.
        step: the barrier at the end of a step, whatever happened in it.
    """

    access: Cost
    update: Cost
    spike: Cost
    synop: Cost
    step: Cost


class Table(_Strict):
    """Costs of one chip or technology.

    Attributes:
        title: what it is, as a report shows it.
        source: who published the numbers, and where.
        leaves_out: what the numbers do not contain.
        static_power: what is known of the power of a chip that does nothing.
        energy: costs of a spiking network's events, in pJ; None where nobody published them.
        mac: energy in pJ of one multiplication and addition, for a dense evaluation; None where it has no meaning.
        time: how long they take, in ns; None where nobody published it.
    """

    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    leaves_out: str = Field(min_length=1)
    static_power: str = Field(min_length=1)
    energy: Energies | None = None
    mac: Cost | None = None
    time: Times | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "Table":
        if self.energy is None and self.mac is None and self.time is None:
            raise ValueError("has neither energy nor mac nor time")
        return self


SUFFIX: Final = ".toml"


def names() -> tuple[str, ...]:
    """The tables that come with the program."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in _FOLDER.iterdir() if path.name.endswith(SUFFIX)))


def load_table(name: str) -> Table:
    """Read a table.

    Args:
        name: one of :func:`names`, or the path of a ``.toml`` file.

    Raises:
        ConfigError: there is no such table, or it has an unknown key, an absent or a negative cost.
    """
    if name in names():
        text = (_FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8")
    elif name.endswith(SUFFIX):
        try:
            text = read_text(Path(name))
        except OSError as error:
            advice = remedy(error, "give the path of a .toml file")
            raise ConfigError(f"cost table {name}: cannot be read ({reason(error)}): {advice}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"cost table {name}: not a text file: give the path of a .toml file") from error
    else:
        raise ConfigError(f"cost table {name!r} is unknown: use one of {', '.join(names())}, or the path of a .toml file")
    try:
        return Table.model_validate(parse_toml(text))
    except ValidationError as error:
        raise ConfigError(f"cost table {name}: {problems(error)}") from error
    except ValueError as error:
        raise ConfigError(f"cost table {name}: not TOML: {error}") from error
