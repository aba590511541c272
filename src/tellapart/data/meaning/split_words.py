"""Names of the parts for learning, choosing and testing: in several languages, with other words around them.

A name alone proves little: "train" beside "bus" is a class, and so is "test tube". Whether a name is believed is for
those to decide who know what stands beside it.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

SPLIT_TYPE: Final = "U7"  # of arrays of the names of splits
CROSSED: Final = "crossed"  # what a source says of a photo that trains and is tested by a head that has not seen it
PARTS: Final = ("train", "val", "test")
# Names that need no word about what they were taken for.
USUAL: Final = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})
_SAID: Final = {
    "train": """train training trains trn tr learn learning apprentissage entrainement entrenamiento addestramento
        treino treinamento trening traning egitim lernen обучение обучающая тренировка тренировочная""",
    "val": """val vali valid validate validation dev validierung validacion validacao validazione validatie walidacja
        dogrulama tuning валидация валидационная""",
    "test": """test tests testing tst eval evaluation evaluate holdout heldout prueba pruebas teste testes testing
        essai тест тестовая проверка""",
}
_WORDS: Final = {word: split for split, words in _SAID.items() for word in words.split()}
# Written without gaps between words, so a name begins with one of these and goes on in any way.
_BEGINNINGS: Final = {
    word: split
    for split, words in (
        ("train", "训练 訓練 学習 學習 학습 훈련"),
        ("val", "验证 驗證 検証 검증"),
        ("test", "测试 測試 テスト 評価 评估 테스트 시험 평가"),
    )
    for word in words.split()
}
# Words beside that say nothing about what is on the photos.
_PLAIN: Final = frozenset(
    """set sets data dataset datasets image images img imgs photo photos pic pics picture pictures folder
    folders dir split splits part parts subset sample samples seg cls raw new old final my our the all public
    private original full small large mini clean resized cropped sorted labeled labelled files file jpg jpeg
    png only for of in is as use used bilder fotos daten satz menge datos imagenes conjunto dati immagini
    dados imagens donnees jeu ensemble zbior выборка данные набор version ver""".split()  # noqa: SIM905  one a line would take a page
)
_GAP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ACCENTS: Final = re.compile("[\u0300-\u036f]")


class Word(NamedTuple):
    """What a name says: `split`, and the other words in it that may say what is on the photos."""

    split: str
    rest: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def split_word(name: str) -> Word | None:
    """The split that a name speaks of, in any case; None for none, and for one of both training and testing."""
    gaps = _GAP.sub(" ", name)
    letters = _ACCENTS.sub("", unicodedata.normalize("NFD", gaps.casefold()))
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", letters))
    joined = " ".join(words).replace("hold out", "holdout").replace("held out", "heldout").split()
    found = [_said(word) for word in joined]
    splits = {split for split in found if split}
    if splits == {"train", "val"}:  # trainval: both are learned from
        splits = {"train"}
    if len(splits) != 1:
        return None
    rest = tuple(word for word, split in zip(joined, found, strict=True) if not split and not _is_plain(word))
    return Word(splits.pop(), rest)


def plain_split(name: str) -> str:
    """The split that a name speaks of and nothing else: "train" of "Training_Set 2"; "" for none."""
    word = split_word(name)
    return word.split if word and not word.rest else ""


def is_plain(name: str) -> bool:
    """Whether a folder's name says nothing about what is on the photos, such as "images"."""
    return all(map(_is_plain, re.findall(r"[^\W\d_]+", name.casefold())))


def _said(word: str) -> str:
    """The split that one word in small letters stands for; also where set or data are written to it."""
    if word in _WORDS:
        return _WORDS[word]
    if word == "trainval":
        return "train"
    for beginning, split in _BEGINNINGS.items():
        if word.startswith(beginning):
            return split
    endings = (word.removesuffix(plain) for plain in ("set", "data", "dataset", "images", "split", "satz") if plain)
    return next((_WORDS[start] for start in endings if start in _WORDS and start != word), "")


def _is_plain(word: str) -> bool:
    return len(word) == 1 or word in _PLAIN
