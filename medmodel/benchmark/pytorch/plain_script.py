"""Instant as somebody would write it in PyTorch and scikit-learn.

    python -m medmodel.benchmark.pytorch.plain_script FOLDER

The folder holds train and test, each with a folder for each of two classes. Prints the
area under the ROC curve of the test images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medmodel.benchmark.pytorch.networks import InstantFeatures

SIZE, BATCH = 128, 32


def features(network: torch.nn.Module, paths: list[Path]) -> np.ndarray:
    """float32 (n, 3456) of image files."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            images = [pixels(path) for path in paths[start : start + BATCH]]
            rows.append(network(torch.from_numpy(np.stack(images))).numpy())
    return np.concatenate(rows)


def pixels(path: Path) -> np.ndarray:
    """uint8 (128, 128, 3) of an image file."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB").resize((SIZE, SIZE)))


def area(folder: Path) -> float:
    """Trains on the images of train; gives the area of those of test."""
    network = InstantFeatures().eval().to(memory_format=torch.channels_last)
    tables, labels = {}, {}
    for split in ("train", "test"):
        paths = sorted(p for p in (folder / split).glob("*/[!.]*") if p.is_file())
        tables[split] = features(network, paths)
        labels[split] = [path.parent.name for path in paths]
    head = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=1e-3, class_weight="balanced", max_iter=1000),
    )
    head.fit(tables["train"], labels["train"])
    scores = head.predict_proba(tables["test"])[:, 1]
    truth = np.array(labels["test"]) == head.classes_[1]
    return float(roc_auc_score(truth, scores))


if __name__ == "__main__":
    print(area(Path(sys.argv[1])))
