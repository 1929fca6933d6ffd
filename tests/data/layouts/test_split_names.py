"""Words that name a split; drawn folders of every kind: test_odd_layouts."""

from __future__ import annotations

import pytest

from medmodel.data.layouts.split_names import (
    is_fold,
    split_of,
    splits_of,
    without_split,
)

SPELLINGS = {
    "train": "train, Training, TRAIN, train_data, train-images, Train Data, trainset, "
    "training_set, TrainSet, traindata, trainimages, 1_train, seg_train, imagesTr, tr, "
    "train1, train-00001, 训练, 训练集, 训练数据, 訓練集, 学習用データ, 훈련, "
    "TRaIN, tRaIn, 学习集, trainieren, обучение, обучающая выборка, "
    "entrenamiento, entraînement, jeu d'entraînement, "
    "Trainingsdaten, conjunto de entrenamiento, treinamento, eğitim, التدريب",
    "val": "val, valid, Validation, validate, val_set, 验证集, 驗證, 検証, 검증, "
    "валидация, validación, Validierungsdaten, dev, eval, internal validation",
    "test": "test, TeSt, testen, testing, TEST set, test_images, testset, "
    "holdout, hold-out, held out, external, external validation, 测试集, 測試, "
    "テスト, 테스트, тест, "
    "тестовая выборка, prueba, imagesTs, 2_test, ts",
    "": "0, 1, 2, fold3, trainval, train_val, test_val, stress test, "
    "cross_validation, test_positive, untrained, contest, pretest, unseen, internal, "
    "images, , normal, holdout_b, train_x",
}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        (name.strip(), split)
        for split, names in SPELLINGS.items()
        for name in names.split(",")
    ],
)
def test_usual_spellings_and_no_others(name: str, split: str) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "eval"], ["train", "val"]),
        (["train", "val", "eval"], ["train", "val", "test"]),
        (["train", "dev", "eval"], ["train", "val", "test"]),
        (["train", "eval", "test"], ["train", "val", "test"]),
        (["train", "val", "eval", "test"], ["train", "val", "val", "test"]),
        (["train", "development", "test"], ["train", "val", "test"]),
        # A clinician's development set is what the model learns from.
        (["development", "validation"], ["", "val"]),
        (["development", "test"], ["train", "test"]),
        (["development", "validation", "test"], ["train", "val", "test"]),
        (["chest_train", "chest_test"], ["train", "test"]),
        (["chest_train", "normal"], ["", ""]),
        (["chest_train", "brain_test"], ["", ""]),
        (["stress test", "normal"], ["", ""]),
        (["tr", "te"], ["train", "test"]),
        (["AS", "AR", "TR", "TS"], ["", "", "", ""]),
        (["train", "extra"], ["train", ""]),
    ],
)
def test_names_beside_each_other(names: list[str], expected: list[str]) -> None:
    assert list(splits_of(names).values()) == expected


def test_class_and_split_in_one_name() -> None:
    assert without_split("cat_train") == ("train", "cat")
    assert without_split("cat") == ("", "cat")


@pytest.mark.parametrize("name", ["fold1", "Fold_2", "k-fold 3", "folds-4", "5_fold"])
def test_folds(name: str) -> None:
    assert is_fold(name) and not split_of(name)


@pytest.mark.parametrize("name", ["fold", "folder1", "manifold 1", "1"])
def test_no_folds(name: str) -> None:
    assert not is_fold(name)
