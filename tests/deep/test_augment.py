"""Augmentations by name: each photo gets its own draw, a seed repeats it, and nothing leaves its device."""

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from tellapart.deep.augment import MEANINGS, NAMES, Augment, coloured, turned
from tellapart.errors import InputError

PX = 48
OF_PHOTOS = ("flip", "crop", "rotate", "colour", "randaugment", "augmix", "erasing")
MIXING = ("mixup", "cutmix")
N_CLASSES = 4


def make(*names):
    return Augment(names, PX, N_CLASSES)


def photos(n, side=PX, seed=0):
    """Smooth photos, unlike each other and unlike their mirror images."""
    coarse = torch.randint(256, (n, 3, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return functional.resize(coarse, [side, side], antialias=True)


def batch_for(changes, n=20):
    return photos(n, changes.stored_px)


def one_hot(n):
    return torch.eye(N_CLASSES)[torch.arange(n) % N_CLASSES]


def test_the_names_are_those_that_do_something():
    assert (*OF_PHOTOS, *MIXING) == NAMES == tuple(MEANINGS)


@pytest.mark.parametrize("name", OF_PHOTOS)
def test_bytes_of_the_right_size_come_out_and_the_batch_is_left_alone(name):
    changes = make(name)
    before = batch_for(changes)
    given = before.clone()
    after = changes.photos(given)
    assert after.shape == (20, 3, PX, PX)
    assert after.dtype == torch.uint8
    assert torch.equal(given, before)


@pytest.mark.parametrize("name", OF_PHOTOS)
def test_photos_in_a_batch_get_draws_of_their_own(name):
    changes = make(name)
    alike = photos(1, changes.stored_px).expand(40, -1, -1, -1)
    torch.manual_seed(0)
    kinds = torch.unique(changes.photos(alike).flatten(1), dim=0)
    assert len(kinds) == 2 if name == "flip" else len(kinds) > 15


@pytest.mark.parametrize("names", [*((name,) for name in OF_PHOTOS), OF_PHOTOS])
def test_a_seed_repeats_the_draws_and_another_does_not(names):
    changes = make(*names)
    given = batch_for(changes)

    def augmented(seed):
        torch.manual_seed(seed)
        return changes.photos(given)

    assert torch.equal(augmented(1), augmented(1))
    assert not torch.equal(augmented(1), augmented(2))


@pytest.mark.parametrize("names", [("mixup",), ("cutmix",), MIXING])
def test_a_seed_repeats_the_mixing(names):
    x, labels = photos(8).float(), one_hot(8)

    def mixed(seed):
        torch.manual_seed(seed)
        return make(*names).mix(x, labels)

    assert all(torch.equal(a, b) for a, b in zip(mixed(3), mixed(3), strict=True))
    assert not torch.equal(mixed(3)[0], mixed(4)[0])


def test_the_order_of_names_changes_nothing():
    given = photos(20, make("crop").stored_px)

    def augmented(names):
        torch.manual_seed(5)
        return make(*names).photos(given)

    assert torch.equal(augmented(("colour", "crop", "flip")), augmented(("flip", "crop", "colour")))


def test_without_names_nothing_happens():
    given, labels = photos(3), one_hot(3)
    assert make().photos(given) is given
    x, same = make(*OF_PHOTOS).mix(given.float(), labels)
    assert same is labels
    assert torch.equal(x, given.float())
    assert torch.equal(make(*MIXING).photos(given), given)


def test_flip_mirrors_about_half_and_leaves_the_rest():
    given = photos(200)
    torch.manual_seed(0)
    after = make("flip").photos(given)
    mirrored = (after == given.flip(3)).flatten(1).all(1)
    same = (after == given).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 70 < mirrored.sum() < 130


def test_flipping_twice_by_the_same_draws_is_nothing():
    given = photos(30)
    torch.manual_seed(0)
    once = make("flip").photos(given)
    torch.manual_seed(0)
    assert torch.equal(make("flip").photos(once), given)


@pytest.mark.parametrize("name", ["flip", "crop", "rotate"])
def test_changes_of_shape_leave_a_plain_photo_plain(name):
    changes = make(name)
    colours = torch.randint(256, (30, 3, 1, 1), dtype=torch.uint8)
    side = changes.stored_px
    assert torch.equal(changes.photos(colours.expand(-1, -1, side, side)), colours.expand(-1, -1, PX, PX))


def ramp(side):
    """(1, 3, side, side): red tells the column and green the row, in [0, 255]."""
    steps = torch.linspace(0, 255, side).round().to(torch.uint8)
    red = steps.expand(side, side)
    return torch.stack([red, red.T, torch.zeros_like(red)])[None]


def test_crops_show_between_half_and_all_of_a_photo_upright():
    side = 200
    after = Augment(("crop",), side, 2).photos(ramp(side).expand(200, -1, -1, -1)).float()
    widths = (after[:, 0, side // 2, -1] - after[:, 0, side // 2, 0]) / 255
    heights = (after[:, 1, -1, side // 2] - after[:, 1, 0, side // 2]) / 255
    areas = widths * heights
    assert (widths > 0).all()
    assert (heights > 0).all()
    assert 0.47 < areas.min() < 0.56
    assert 0.9 < areas.max() <= 1
    assert (widths / heights).max() < 1.4
    assert (heights / widths).max() < 1.4


def test_crops_reach_all_edges():
    changes = Augment(("crop",), 100, 2)
    side = changes.stored_px
    after = changes.photos(ramp(side).expand(300, -1, -1, -1))
    assert after[:, :2, 50, 50].float().std(0).min() > 10  # the middle wanders
    assert after[:, 0].min() < 5
    assert after[:, 0].max() > 250
    assert after[:, 1].min() < 5
    assert after[:, 1].max() > 250


def test_rotation_agrees_with_torchvision_inside_the_circle():
    given = photos(7, 64)
    angles = torch.linspace(-15, 15, 7)
    ours = turned(given, angles).float()
    angles = angles.tolist()
    mode = v2.InterpolationMode.BILINEAR
    theirs = torch.stack([functional.rotate(p, a, interpolation=mode) for p, a in zip(given, angles, strict=True)])
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    inside = (x**2 + y**2).sqrt() < 30
    assert (ours - theirs.float()).abs()[:, :, inside].max() <= 2
    assert (ours - given.float()).abs().max() > 20


def test_rotation_shows_no_black_corners():
    white = torch.full((20, 3, PX, PX), 200, dtype=torch.uint8)
    assert make("rotate").photos(white).min() == 200


def test_colour_agrees_with_torchvision_where_nothing_is_clipped():
    factors = {"b": [0.7, 1.0, 1.3, 1.0, 1.2], "c": [1.0, 0.7, 1.0, 1.2, 0.8], "s": [1.0, 1.3, 0.7, 1.0, 1.2]}
    given = (photos(5).float() * 0.3 + 80).to(torch.uint8)  # far from 0 and 255
    ours = coloured(given, torch.tensor([*factors.values()])).float()
    for i, photo in enumerate(given):
        twin = photo.float() / 255
        twin = functional.adjust_brightness(twin, factors["b"][i])
        twin = functional.adjust_contrast(twin, factors["c"][i])
        twin = functional.adjust_saturation(twin, factors["s"][i])
        assert (ours[i] - 255 * twin).abs().max() < 0.6


def test_colour_stays_within_bytes_and_keeps_grey_grey():
    extremes = torch.randint(2, (40, 3, PX, PX)).to(torch.uint8) * 255
    after = make("colour").photos(extremes).float()
    turned = (extremes == 255) & (after < 100)  # an overflow of bytes would make white black
    assert not turned.any()
    grey = photos(40)[:, :1].expand(-1, 3, -1, -1)
    channels = make("colour").photos(grey).int()
    assert (channels - channels[:, :1]).abs().max() <= 1


def test_erasing_paints_one_box_over_half_of_the_photos():
    given = torch.zeros((400, 3, PX, PX), dtype=torch.uint8)
    torch.manual_seed(0)
    after = make("erasing").photos(given)
    hit = [(photo != 0).any(0) for photo in after if photo.any()]
    assert 150 < len(hit) < 250
    for hidden, photo in zip(hit, (p for p in after if p.any()), strict=True):
        rows, columns = hidden.any(1).nonzero().flatten(), hidden.any(0).nonzero().flatten()
        box = photo[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].flatten(1)
        assert (box == box[:, :1]).all()  # a full rectangle of one colour
        assert 0.01 < hidden.float().mean() < 0.36


def test_mixup_blends_photos_and_labels_by_the_same_share():
    x, labels = torch.rand(6, 3, PX, PX), one_hot(6)
    mixed, mixed_labels = make("mixup").mix(x, labels)
    share = mixed_labels[0, 0]  # photo 0 is of class 0, the one before it, photo 5, of class 1
    assert torch.allclose(mixed, share * x + (1 - share) * x.roll(1, 0), atol=1e-5)
    assert torch.allclose(mixed_labels, share * labels + (1 - share) * labels.roll(1, 0), atol=1e-6)


def test_cutmix_gives_labels_the_share_of_the_area():
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, PX, PX)
    for _ in range(20):
        mixed, labels = make("cutmix").mix(x, one_hot(6))
        own = (mixed[0] == 0).float().mean()
        assert labels[0, 0] == pytest.approx(float(own), abs=1e-5)
        assert set(mixed[0].unique().tolist()) <= {0.0, 5.0}


@pytest.mark.parametrize("names", [("mixup",), ("cutmix",), MIXING])
def test_mixed_labels_add_up_to_one_and_soft_ones_may_be_mixed(names):
    x, soft = torch.rand(9, 3, PX, PX), torch.rand(9, N_CLASSES).softmax(1)
    given, given_soft = x.clone(), soft.clone()
    for _ in range(10):
        mixed, labels = make(*names).mix(x, soft)
        assert mixed.shape == x.shape
        assert labels.shape == soft.shape
        assert torch.allclose(labels.sum(1), torch.ones(9))
        assert labels.min() >= 0
    assert torch.equal(x, given)
    assert torch.equal(soft, given_soft)


def test_with_both_kinds_of_mixing_batches_get_one_or_the_other():
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, PX, PX)
    torch.manual_seed(0)
    cut = sum(set(make(*MIXING).mix(x, one_hot(6))[0][0].unique().tolist()) <= {0.0, 5.0} for _ in range(40))
    assert 5 < cut < 35


@pytest.mark.parametrize("name", [name for name in NAMES if name != "augmix"])  # meta tensors know no Dirichlet
def test_pixels_never_leave_their_device(name):
    """A meta tensor holds no pixels: reading one back, or joining it with one of the CPU, raises."""
    changes = make(name)
    if name in MIXING:
        x, labels = changes.mix(torch.empty(10, 3, PX, PX, device="meta"), torch.empty(10, N_CLASSES, device="meta"))
        assert x.device.type == labels.device.type == "meta"
    else:
        given = torch.empty((10, 3, changes.stored_px, changes.stored_px), dtype=torch.uint8, device="meta")
        assert changes.photos(given).device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("name", [*NAMES[:5], "erasing"])
def test_a_gpu_gives_what_the_cpu_gives(name):
    changes = make(name)
    given = batch_for(changes)

    def augmented(device):
        torch.manual_seed(0)
        return changes.photos(given.to(device)).cpu().int()

    assert ((augmented("cpu") - augmented("cuda")).abs() <= 2).float().mean() > 0.99


def test_only_crops_want_larger_photos():
    assert make("flip", "rotate").stored_px == PX
    assert Augment(("crop",), 224, 2).stored_px == 256


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("color", 'Did you mean "colour"? There are: '),
        ("Mixup", 'Did you mean "mixup"? There are: '),
        ("solarise", "There are: "),
    ],
)
def test_an_unknown_name(name, hint):
    with pytest.raises(InputError) as raised:
        make("flip", name)
    assert raised.value.message == f'There is no augmentation "{name}".'
    assert raised.value.hint == f"{hint}flip, crop, rotate, colour, randaugment, augmix, erasing, mixup, cutmix."


@pytest.mark.parametrize(
    ("names", "given", "got"),
    [
        (("flip",), torch.zeros(2, 3, 64, 64, dtype=torch.uint8), "uint8 of (2, 3, 64, 64)"),
        (("crop",), torch.zeros(2, 3, 40, 40, dtype=torch.uint8), "uint8 of (2, 3, 40, 40)"),
        (("flip",), torch.zeros(2, 3, PX, PX), "float32 of (2, 3, 48, 48)"),
        (("flip",), torch.zeros(2, PX, PX, 3, dtype=torch.uint8), "uint8 of (2, 48, 48, 3)"),
        (("flip",), torch.zeros(3, PX, PX, dtype=torch.uint8), "uint8 of (3, 48, 48)"),
        (("flip",), torch.zeros(0, 3, PX, PX, dtype=torch.uint8), "uint8 of (0, 3, 48, 48)"),
    ],
)
def test_photos_that_do_not_fit(names, given, got):
    changes = make(*names)
    with pytest.raises(InputError) as raised:
        changes.photos(given)
    side = changes.stored_px
    assert raised.value.message == f"Photos must be uint8 of (N, 3, {side}, {side}). Got {got}."
