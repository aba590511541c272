"""How to train, as values: every hyper-parameter with its unit, its default and the reason for it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tellapart.data.preprocess import ResizeMode
from tellapart.errors import InputError

Json = dict[str, Any]

_JSON_KEYS = {"resize_mode": "fit", "ema_steps": "average", "refit": "twice"}
_PROBE_ORDER = (
    *("quality", "resize_mode", "inverse_regularisation", "n_folds", "max_choosing_photos", "tolerance"),
    *("class_balance", "test_share", "seed", "network", "weights", "input_px"),
)
NAME_IT = "Name it after --network, such as resnet34. The bundled network has weights and a size of its own."


@dataclass(frozen=True)
class Reading:
    """How photos are read: what looks at them, how they become square, and how many are kept for the test.

    Args:
        quality: `fast`, `balanced` or `best`: which bundled backbone; docs/backbones.md has what each costs and gains.
        resize_mode: `crop` looks at the middle square of a photo, `squash` at all of it, out of shape.
        test_share: fraction of each class kept for the test where the source brings no test photos. None is a fifth;
            where that is fewer than 50 photos, all learn, and each is tested by a head that has not seen it.
        network: empty is the bundled backbone of the quality; a name is any network that `tellapart backbones` lists,
            whose features then take the place of the bundled ones.
        weights: a local .safetensors or .pth file of that network's weights; None asks the hub.
        input_px: side of that network's input; None is what it was made for.
    """

    quality: str = "balanced"
    resize_mode: ResizeMode = "crop"
    test_share: float | None = None
    network: str = ""
    weights: str | None = None
    input_px: int | None = None

    def __post_init__(self) -> None:
        if self.test_share is not None and not 0 < self.test_share < 1:
            raise InputError(f"test_share must be between 0 and 1. Got {self.test_share}.")
        if not self.network and (self.weights is not None or self.input_px is not None):
            given = "weights" if self.weights is not None else "input_px"
            raise InputError(f"{given} is of a network that is not named.", hint=NAME_IT)


@dataclass(frozen=True)
class LinearProbe:
    """Train a linear head on frozen features.

    Args:
        reading: how photos are read.
        inverse_regularisation: the values of C tried, scikit-learn's inverse strength of the L2 penalty on weights of
            scaled features (`classifier.probe.fit_heads`). Few photos of a class want the large ones, many the small.
        n_folds: of the grouped, stratified cross-validation that chooses C and fits what comes after the head.
        max_choosing_photos: C is chosen on at most this many photos; the choice is flat and the fits are not free.
        tolerance: of the solver's gradient. Out-of-fold on four sets, a third of it changed at most one answer in a
            thousand, while ten times as much changed up to fourteen.
        class_balance: in [0, 1]: a photo of a class with n photos weighs n ** -class_balance. 0 is the photos as they
            are, 1 makes all classes count alike.
        seed: of the split and the folds.
    """

    reading: Reading = field(default_factory=Reading)
    inverse_regularisation: tuple[float, ...] = (1e-2, 3e-2, 1e-1, 3e-1, 1.0)
    n_folds: int = 5
    max_choosing_photos: int = 5000
    tolerance: float = 3e-4
    class_balance: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.class_balance <= 1:
            raise InputError(f"class_balance must be in [0, 1]. Got {self.class_balance}.")
        if self.n_folds < 2:
            raise InputError(f"n_folds must be at least 2. Got {self.n_folds}.")
        if not self.inverse_regularisation or min(self.inverse_regularisation) <= 0:
            raise InputError("inverse_regularisation must name one or more numbers above 0.")


@dataclass(frozen=True)
class Training:
    """What `FineTune` and `Scratch` have in common: how a network learns, epoch by epoch.

    Args:
        probe: how photos are read and compared, and for `FineTune` where the head starts.
        network: its name; see `tellapart backbones`.
        weights: a local .safetensors or .pth file of the network's weights; None asks the hub, where there is need.
        input_px: side of the network's input; None is what it was made for.
        epochs: at most this many times through the photos.
        batch_size: photos a step.
        learning_rate: the highest, of the last layers; 0 looks for one before training.
        layer_decay: each stage before the last learns at this times the rate of the next.
        weight_decay: AdamW's.
        warmup_share: fraction of all steps in which the rate rises; after it, it falls as a cosine.
        label_smoothing: in [0, 1): this much of each label is spread over all classes.
        ema_steps: how many of the last steps the weights that answer are about the mean of; 0 takes the last ones.
        augment: by name, in any order; see docs/training.md.
        patience: epochs without a better validation loss before it stops; 0 never stops early.
        time_limit_s: seconds after which the rate has fallen to 0 and training ends; None has no limit.
        val_share: fraction of the photos that learn which is held out to choose with, where the source brings none.
        precision: `bf16`, `f32`, or `auto`: bf16 where the processor computes in it.
        device: `cpu`, `cuda`, or `auto`: a GPU where there is one.
    """

    probe: LinearProbe = field(default_factory=LinearProbe)
    network: str = ""
    weights: str | None = None
    input_px: int | None = None
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 1e-3
    layer_decay: float = 1.0
    weight_decay: float = 0.05
    warmup_share: float = 0.1
    label_smoothing: float = 0.1
    ema_steps: int = 100
    augment: tuple[str, ...] = ("flip", "crop", "colour")
    patience: int = 0
    time_limit_s: float | None = None
    val_share: float = 0.15
    precision: Literal["auto", "bf16", "f32"] = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1. Got {getattr(self, name)}.")
        for name in ("learning_rate", "weight_decay", "ema_steps", "patience"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be 0 or more. Got {getattr(self, name)}.")
        for name in ("label_smoothing", "warmup_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be in [0, 1). Got {getattr(self, name)}.")
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"layer_decay must be in (0, 1]. Got {self.layer_decay}.")
        if not 0.02 <= self.val_share <= 0.5:
            raise InputError(f"val_share must be between 0.02 and 0.5. Got {self.val_share}.")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise InputError(f"The time limit must be more than 0 seconds. Got {self.time_limit_s}.")
        if self.input_px is not None and not 16 <= self.input_px <= 1024:
            raise InputError(f"input_px must be between 16 and 1024. Got {self.input_px}.")


@dataclass(frozen=True)
class FineTune(Training):
    """Train a pretrained network further. Arguments as in `Training`, and:

    Args:
        network: empty is the bundled network of the probe's quality, whose last stages train on the cached activations
            of the others; a name is any network of timm, all of which trains.
        refit: whether a bundled network trains once more from the same start, for as many epochs as were best, and now
            also with the photos held out to choose with. What answers is the mean of both.
        stage: of a bundled network, the first stage, 1 to 6, that trains.
        views: of each photo, how many augmented copies pass through the stages that do not train, once; each step
            picks one of them.
    """

    epochs: int = 4
    layer_decay: float = 0.7
    refit: bool = True
    stage: int = 5
    views: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.stage <= 6:
            raise InputError(f"stage must be 1 to 6. Got {self.stage}.")
        if not 0 <= self.views <= 64:
            raise InputError(f"views must be 0 to 64. Got {self.views}.")
        if not self.network and self.weights is not None:
            raise InputError("weights is of a network that is not named.", hint=NAME_IT)


@dataclass(frozen=True)
class Scratch(Training):
    """Train a network from nothing. Arguments as in `Training`."""

    network: str = "small-resnet"
    epochs: int = 30
    learning_rate: float = 3e-3


Recipe = LinearProbe | FineTune | Scratch

ANSWERED = 0.95  # of real photos, the share that gets a class name unless told otherwise
LEAST_ANSWERED = 0.05  # a model that names fewer is of no use, and 5 was meant to be 0.05 less often than 0.95
LEAST_RECALL = 0.5  # below it a class would be named less often than without a wish


@dataclass(frozen=True)
class Wishes:
    """What mistakes cost, as shares of real photos; the thresholds of a finished model are ranks that keep them.

    Args:
        answer: the share of real photos that gets a class name, in [0.05, 1]; 1 withholds none.
        never_miss: {class name: the share of its photos that no other class's name may be given to, in [0.5, 1)}.

    Raises:
        InputError: a share is out of range.
    """

    answer: float = ANSWERED
    never_miss: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not LEAST_ANSWERED <= self.answer <= 1:
            raise InputError(
                f"The share of photos to answer must be between {LEAST_ANSWERED} and 1. Got {self.answer:g}.",
                hint="0.9 is 90 of 100 photos.",
            )
        for name, recall in self.never_miss.items():
            if not LEAST_RECALL <= recall < 1:
                raise InputError(
                    f"The share of '{name}' not to miss must be at least {LEAST_RECALL} and less than 1. "
                    f"Got {recall:g}.",
                    hint="0.99 misses at most about 1 of 100; no number of photos can promise that none is missed.",
                )


USUAL = Wishes()  # what a model promises where nothing is asked for


def probe_of(recipe: Recipe) -> LinearProbe:
    """The head's settings, and how photos are read."""
    return recipe.probe if isinstance(recipe, Training) else recipe


def recipe_json(recipe: Recipe) -> Json:
    """The recipe by the names of its hyper-parameters, and what kind it is."""
    kind = "Probe" if isinstance(recipe, LinearProbe) else type(recipe).__name__
    return {"kind": kind, **settings_json(recipe)}


def settings_json(recipe: Recipe | Training) -> Json:
    """The hyper-parameters by the names and in the order that model folders and checkpoints have had from the start."""
    settings = asdict(recipe)
    if isinstance(recipe, LinearProbe):
        settings |= settings.pop("reading")
        settings = {name: settings[name] for name in _PROBE_ORDER}
    else:
        settings["probe"] = settings_json(recipe.probe)
    return {_JSON_KEYS.get(name, name): value for name, value in settings.items()}
