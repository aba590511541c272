"""Names of splits, with other words around them, and names that are none."""

import pytest

from tellapart.data.meaning.split_words import plain_split, split_word


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(
            (name, "train")
            for name in ("train", "TRAIN", "Training", "trn", "training_set", "TrainingSet", "seg_train")
        ),
        *(
            (name, "train")
            for name in ("train2017", "trainset", "X_train", "train images", "trainval", "my-train-data")
        ),
        *((name, "train") for name in ("entraînement", "entrenamiento", "treino", "обучающая", "训练集", "学習用")),
        *(
            (name, "val")
            for name in ("val", "valid", "Validation", "dev", "is_valid", "val_set", "验证集", "validación")
        ),
        *(
            (name, "test")
            for name in ("test", "test2", "Testing", "eval", "holdout", "hold-out", "Held_Out", "testset")
        ),
        *((name, "test") for name in ("PublicTest", "PrivateTest", "prueba", "测试集", "テスト", "TestData")),
        *(
            (name, "")
            for name in ("hat", "", "2023", "fold1", "train_test", "trainer", "contest", "latest", "straining")
        ),
        *((name, "") for name in ("test tube", "train station", "cats_train", "protest")),
    ],
)
def test_a_name_of_a_split_and_nothing_else(name: str, split: str) -> None:
    assert plain_split(name) == split


def test_other_words_are_told() -> None:
    assert split_word("test tube") == ("test", ("tube",))
    assert split_word("cats_train") == ("train", ("cats",))
    assert split_word("tube") is None
