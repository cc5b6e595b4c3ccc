"""Configurations: one TOML file a task, read into typed, checked, immutable settings."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from neuro_deploy.errors import ConfigError
from neuro_deploy.files import expanded, parse_toml, read_text, reason, remedy
from neuro_deploy.ir.manifest import LARGEST, Encoder, FrontEndSpec
from neuro_deploy.training.data.settings import Place
from neuro_deploy.training.data_settings import DataSettings, RecordedData, Strict

EPOCHS_MAX = 1_000_000
"""Epochs of a training."""

MEMORY_MAX = 1 << 24
"""Numbers of the memories' impulse responses."""

MENTIONED = 8
"""Wrong settings that a message names."""

SHOWN = 100
"""Characters of a value or a key in a message."""

_Checked = TypeVar("_Checked", bound=BaseModel)

CONFIGS = Path(__file__).parent / "configs"
"""Folder of the configurations that come with the project."""


class EncoderSettings(Strict):
    """What is set of :class:`neuro_deploy.ir.manifest.Encoder`: ``message_bits`` is ``bits``; frames of recordings are clipped."""

    bits: int = Field(ge=1, le=16)
    scale: float = Field(default=1.0, ge=1 / LARGEST, le=LARGEST)
    offset: float = Field(default=0.0, ge=-LARGEST, le=LARGEST)


class ModelSettings(Strict):
    """The Spiking LMUFormer.

    Attributes:
        channels: width of the residual stream and of most populations.
        kernel: steps that each convolution over time reads, the present one and ``kernel - 1`` past ones.
        blocks: LMU blocks with their channel mixers.
        memory_channels: populations u of one neuron each that write into the memory.
        memory_order: Legendre polynomials that describe the past of each of them.
        memory_length: theta, the window of the memory in steps.
        mixer_ratio: width of the channel mixer over ``channels``.
        filters: neurons at each place along the frequencies, for each convolution of the patch embedding, which then read time and
            bands: see :mod:`neuro_deploy.training.models.bands`. If not given there are three with ``channels`` neurons that
            read all bands.
        patch_embedding: False replaces the convolutions by one spiking projection of the input (ablation).
        residual_embedding: False leaves out the convolution with the residual connection (ablation).
        memory: False leaves out u and the Legendre memory (ablation).
        mixer: False leaves out the channel mixers (ablation).
        baseline: what is trained in its place, without spikes and of about its size, to compare with: see
            :mod:`neuro_deploy.training.models.registry`.
    """

    channels: int = Field(default=64, ge=1, le=4096)
    kernel: int = Field(default=3, ge=1, le=32)
    blocks: int = Field(default=1, ge=1, le=32)
    memory_channels: int = Field(default=4, ge=1, le=256)
    memory_order: int = Field(default=16, ge=1, le=512)
    memory_length: int = Field(default=64, ge=1, le=4096)
    mixer_ratio: int = Field(default=4, ge=1, le=16)
    filters: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = Field(default=None, min_length=1, max_length=8)
    patch_embedding: bool = True
    residual_embedding: bool = True
    memory: bool = True
    mixer: bool = True
    baseline: Literal["lmuformer", "transformer", "gru", "cnn"] | None = None

    @model_validator(mode="after")
    def _memory(self) -> "ModelSettings":
        numbers = self.blocks * self.memory_channels * self.memory_order * self.memory_length
        if self.memory and numbers > MEMORY_MAX:
            raise ValueError(
                f"blocks x memory_channels x memory_order x memory_length is {numbers:,}, at most {MEMORY_MAX:,}: lower one of them"
            )
        return self

    @model_validator(mode="after")
    def _filters(self) -> "ModelSettings":
        if self.filters is not None and not self.patch_embedding:
            raise ValueError("filters are the patch embedding's: leave them out, or set patch_embedding = true")
        return self


class NeuronSettings(Strict):
    """The CUBA neuron, without synaptic current memory (``iDecay = 4096``).

    Attributes:
        voltage_decay: ``vDecay``; 2048 halves the voltage each step.
        surrogate_width: scale, in thresholds, over which the surrogate gradient decays from the threshold.
        surrogate_height: the surrogate gradient at the threshold, in spikes per threshold.
        gain: standard deviation, in thresholds, of a population's input after batch norm, at the start.
    """

    voltage_decay: int = Field(default=2048, ge=1, le=4095)
    surrogate_width: float = Field(default=0.5, gt=0, le=LARGEST)
    surrogate_height: float = Field(default=1.0, gt=0, le=LARGEST)
    gain: float = Field(default=0.5, gt=0, le=LARGEST)


class TrainSettings(Strict):
    """The optimisation.

    Attributes:
        epochs: with real-valued weights.
        quantised_epochs: afterwards, with the deployed integers in the forward pass.
        batch: samples of a step.
        rate: largest learning rate; a short linear rise, then a cosine to zero over each of the two phases.
        quantised_rate: the same for the quantised phase.
        weight_decay: decoupled, on weights only.
        smoothing: label smoothing.
        seed: of everything random.
        patience: epochs without a smaller validation loss after which a phase ends; none ends early if not given.
        target_rate: spikes per neuron and step, averaged over the populations, above which the loss rises; not at all if not given.
        rate_weight: how much: the loss at twice the target rate.
        average: share of itself that a running average of the weights keeps each step, as 0.998; the average is what is validated and
            deployed. The weights themselves if not given.
        start: checkpoint whose weights are gone on from; random ones if not given.
        teachers: for distillation, checkpoints of models with this task and encoder; the mean of their answers to the training
            samples is learnt beside the labels.
        teacher_share: of these answers in what is learnt.
    """

    epochs: int = Field(ge=0, le=EPOCHS_MAX)
    quantised_epochs: int = Field(ge=0, le=EPOCHS_MAX)
    batch: int = Field(default=64, ge=2, le=1 << 20)
    rate: float = Field(default=3e-3, gt=0, le=1e30)
    quantised_rate: float = Field(default=5e-4, gt=0, le=1e30)
    weight_decay: float = Field(default=0.01, ge=0, le=LARGEST)
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    patience: int | None = Field(default=None, ge=1, le=EPOCHS_MAX)
    target_rate: float | None = Field(default=None, gt=0, le=1)
    rate_weight: float | None = Field(default=None, gt=0, le=LARGEST)
    average: float | None = Field(default=None, gt=0, lt=1)
    start: Place | None = None
    teachers: tuple[Place, ...] | None = Field(default=None, min_length=1)
    teacher_share: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _some_epochs(self) -> "TrainSettings":
        if self.epochs + self.quantised_epochs == 0:
            raise ValueError("epochs and quantised_epochs are both 0: nothing to train")
        return self

    @model_validator(mode="after")
    def _rate_term(self) -> "TrainSettings":
        if (self.target_rate is None) != (self.rate_weight is None):
            raise ValueError("target_rate and rate_weight belong together: give both or neither")
        return self

    @model_validator(mode="after")
    def _teachers(self) -> "TrainSettings":
        if (self.teachers is None) != (self.teacher_share is None):
            raise ValueError("teachers and teacher_share belong together: give both or neither")
        return self


class Config(Strict):
    """All settings of one task; ``name`` is the file's stem."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)  # files of longer names than this one are named by it
    data: DataSettings
    encoder: EncoderSettings
    model: ModelSettings = ModelSettings()
    neuron: NeuronSettings = NeuronSettings()
    train: TrainSettings

    @property
    def front_end(self) -> FrontEndSpec | None:
        """What makes frames of recordings; None where the data are no recordings."""
        return self.data.front_end if isinstance(self.data, RecordedData) else None

    @property
    def encoding(self) -> Encoder:
        """From the data's numbers to the integers of the input."""
        given = self.encoder
        clip = self.front_end is not None
        return Encoder(message_bits=given.bits, scale=given.scale, offset=given.offset, clip=clip)


def load(name: str) -> Config:
    """Read a configuration by its name, or from a path that ends in ``.toml``.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or an impossible value; one line that names all of them.
    """
    path = expanded(name) if name.endswith(".toml") else CONFIGS / f"{name}.toml"
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"config {name}: {path} is not a text file: give the path of a .toml file") from error
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
        advice = remedy(error, f"known configs: {known}, or give the path of a .toml file")
        raise ConfigError(f"config {name}: cannot read {path} ({reason(error)}); {advice}") from error
    try:
        values = parse_toml(text)
    except ValueError as error:
        raise ConfigError(f"config {path}: not TOML ({error})") from error
    return parse({"name": path.stem, **values}, str(path))


def parse(values: dict[str, object], origin: str) -> Config:
    """Check settings that were read from ``origin`` (a file's name, for messages).

    Raises:
        ConfigError: an unknown key or an impossible value; one line that names them.
    """
    return checked(Config, values, origin)


def checked(kind: type[_Checked], values: dict[str, object], origin: str) -> _Checked:
    """Values as settings of a kind; see :func:`parse`.

    Raises:
        ConfigError: an unknown key or an impossible value; one line that names them.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = [_describe(dict(e)) for e in error.errors()]
        more = f"; and {len(problems) - MENTIONED} more" if len(problems) > MENTIONED else ""
        raise ConfigError(f"config {origin}: {'; '.join(problems[:MENTIONED])}{more}") from error


def _describe(error: dict[str, object]) -> str:
    location = error["loc"]
    parts = [str(part) for part in location] if isinstance(location, tuple) else [str(location)]
    if "data" in parts and len(parts) > parts.index("data") + 2:
        del parts[parts.index("data") + 1]  # the data set's name, which is no key
    key = _short(".".join(parts))
    context = error.get("ctx")
    if error["type"] == "union_tag_invalid" and isinstance(context, dict):
        return f"{key}.name = {_short(repr(context['tag']))}: use one of {context['expected_tags']}"
    if error["type"] == "union_tag_not_found":
        return f"{key}.name is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    value = error["input"]
    shown = "" if isinstance(value, dict) else f" = {_short(repr(value))}"
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def require_same(trained: Config, settings: Config, origin: Path) -> None:
    """Refuse a checkpoint that was trained with other settings; only the seed may differ.

    Raises:
        ConfigError: names the settings that differ.
    """
    old, new = flat(trained.model_dump()), flat(settings.model_dump())
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key) and key != "train.seed"]
    if changed:
        key = changed[0]
        raise ConfigError(
            f"config {settings.name}: {key} is {new.get(key)!r}, but {origin} was trained with {old.get(key)!r} "
            f"({len(changed)} such settings): train again"
        )


def known_keys(settings: BaseModel, prefix: str = "") -> list[str]:
    """Dotted keys of all settings, of those too that are not given."""
    found: list[str] = []
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        found += known_keys(value, f"{prefix}{key}.") if isinstance(value, BaseModel) else [prefix + key]
    return found


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested settings as ``{"train.rate": ...}``."""
    found: dict[str, object] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
