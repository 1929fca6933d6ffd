"""The textbook recipe, until its test images reach an area or it ends.

    python -m medmodel.benchmark.pytorch.textbook_script FOLDER AREA

Two convolutions, ImageDataGenerator at 224 pixels, ten epochs. Prints a line with the
area under the ROC curve of the test images after each epoch.
"""

from __future__ import annotations

import sys
from typing import Any

import keras
from keras import layers
from sklearn.metrics import roc_auc_score

EPOCHS, SIZE, BATCH = 10, 224, 32


def main(folder: str, wanted: float) -> None:
    """Trains on the images of train, and asks about those of test after each epoch."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    scaled = ImageDataGenerator(rescale=1 / 255)

    def images(split: str, shuffle: bool) -> Any:
        return scaled.flow_from_directory(
            f"{folder}/{split}",
            target_size=(SIZE, SIZE),
            batch_size=BATCH,
            class_mode="binary",
            shuffle=shuffle,
        )

    train, test = images("train", True), images("test", False)
    model = keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    for _epoch in range(EPOCHS):
        model.fit(train, epochs=1, verbose=0)
        area = float(roc_auc_score(test.classes, model.predict(test, verbose=0)))
        print(area, flush=True)
        if area >= wanted:
            return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
