"""Photos as a scikit-learn problem: cross-validation and a small grid search.

    python examples/scikit_learn.py PHOTOS

PHOTOS holds one folder of photos for each class. Every photo is read once; after that its features are remembered.
The folds of `cross_val_score` know nothing of copies: with copies in the folder its score is too good, while
`tellapart train` keeps them together.
"""

import sys
from pathlib import Path

from sklearn.model_selection import GridSearchCV, cross_val_score

from tellapart import PhotoClassifier, scan


def main(photos: Path) -> None:
    dataset = scan(photos)
    paths = list(dataset.places)
    y = [dataset.class_names[label] for label in dataset.labels]

    scores = cross_val_score(PhotoClassifier(quality="fast"), paths, y, cv=3)
    print("right in each of three folds:", ", ".join(f"{score:.0%}" for score in scores))

    search = GridSearchCV(PhotoClassifier(quality="fast"), {"class_balance": [0.0, 0.5, 1.0]}, cv=3)
    search.fit(paths, y)
    print(f"best class_balance: {search.best_params_['class_balance']}, right: {search.best_score_:.0%}")
    print(f"first photo: {search.predict(paths[:1])[0]}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
