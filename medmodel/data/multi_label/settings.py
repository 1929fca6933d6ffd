"""Settings of a training on a data set whose images may have several findings."""

from __future__ import annotations

from dataclasses import replace

from medmodel.core.config import TrainConfig


def fitted_settings(config: TrainConfig, multi_label: bool) -> TrainConfig:
    """The settings for what a data set turned out to be.

    Class weights are switched off for several findings: sigmoids that are trained with
    them say no probabilities.

    Args:
        config: As somebody chose.
        multi_label: Whether an image may have several findings, or none.
    """
    if config.segments or config.multi_label == multi_label:
        return config
    weights = config.class_weights and not multi_label
    return replace(config, multi_label=multi_label, class_weights=weights)
