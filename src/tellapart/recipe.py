"""How to train, as values: every hyper-parameter with its unit, its default and the reason for it."""

from dataclasses import dataclass

from tellapart.data.preprocess import Fit
from tellapart.errors import InputError


@dataclass(frozen=True)
class Probe:
    """Train a linear head on frozen features.

    Args:
        quality: `fast`, `balanced` or `best`: which bundled backbone; docs/backbones.md has what each costs and gains.
        fit: `crop` looks at the middle square of a photo, `squash` at all of it, out of shape.
        inverse_regularisation: the values of C tried, scikit-learn's inverse strength of the L2 penalty on weights of
            standardised features. Below the first, heads of every set we measured were worse; above the last, no
            better and slower.
        n_folds: of the grouped, stratified cross-validation that chooses C and fits what comes after the head.
        max_choosing_photos: C is chosen on at most this many photos; the choice is flat and the fits are not free.
        tolerance: of the solver's gradient. Out-of-fold on four sets, a third of it changed at most one answer in a
            thousand, while ten times as much changed up to fourteen.
        class_balance: in [0, 1]: a photo of a class with n photos weighs n ** -class_balance. 0 is the photos as they
            are, 1 makes all classes count alike.
        test_share: fraction of each class kept for the test where the source brings no test photos. None is a fifth;
            where that is fewer than 50 photos, all learn, and each is tested by a head that has not seen it.
        seed: of the split and the folds.
    """

    quality: str = "balanced"
    fit: Fit = "crop"
    inverse_regularisation: tuple[float, ...] = (3e-3, 1e-2, 3e-2, 1e-1)
    n_folds: int = 5
    max_choosing_photos: int = 5000
    tolerance: float = 3e-4
    class_balance: float = 0.5
    test_share: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.test_share is not None and not 0 < self.test_share < 1:
            raise InputError(f"test_share must be between 0 and 1. Got {self.test_share}.")
        if not 0 <= self.class_balance <= 1:
            raise InputError(f"class_balance must be in [0, 1]. Got {self.class_balance}.")
        if self.n_folds < 2:
            raise InputError(f"n_folds must be at least 2. Got {self.n_folds}.")
        if not self.inverse_regularisation or min(self.inverse_regularisation) <= 0:
            raise InputError("inverse_regularisation must name one or more numbers above 0.")
