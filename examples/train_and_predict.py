"""Train on a folder of photos, then ask the model about other photos.

    python examples/train_and_predict.py PHOTOS MODEL PHOTO [PHOTO ...]

PHOTOS holds one folder of photos for each class. MODEL is the folder to write; it must not exist yet.
"""

import sys

import tellapart


def main(photos: str, model: str, *questions: str) -> None:
    evaluation = tellapart.train(photos, model)
    print(evaluation["headline"])
    for prediction in tellapart.load(model).predict(list(questions)):
        if prediction.error:
            print(f"{prediction.photo}: {prediction.error}")
        elif prediction.answer == prediction.class_name:
            print(f"{prediction.photo}: {prediction.answer} ({prediction.confidence:.0%})")
        else:  # "not sure" or "none of these"
            print(f"{prediction.photo}: {prediction.answer}; the likeliest would be {prediction.class_name}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    try:
        main(*sys.argv[1:])
    except tellapart.TellapartError as error:  # a sentence, and what to do about it
        raise SystemExit(f"{error}\n{error.hint}") from None
