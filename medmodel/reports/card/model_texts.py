"""A model in a few words: which one, its network, its input, its training."""

from __future__ import annotations

from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.network_names import model_title
from medmodel.core.settings.recipes import ENSEMBLE, IMPORTED, RECIPES
from medmodel.evaluation.robustness.corruption_test import corrupted_members
from medmodel.language import N_, _, join_sentences
from medmodel.reports import run_facts
from medmodel.reports.run_facts import BLANK
from medmodel.runs.run import Run

_SETTINGS = (
    *(N_("pad"), N_("crop"), N_("stretch")),
    *(N_("frozen"), N_("fine_tune"), N_("scratch")),
    *(N_("axial"), N_("coronal"), N_("sagittal")),
)
"""Values of settings, which are said as they are written; here for the catalogue."""


def preprocessing_text(seen: Preprocessing) -> str:
    """What a model takes, in a few words."""
    parts = [
        _("{side} × {side} pixels", side=seen.size),
        _(seen.fit),
        _("grey") if seen.colour == "grey" else _("colour"),
    ]
    if seen.window != "auto":
        parts.append(_("scans through the window {window}", window=seen.window))
    if seen.axis != "axial":
        parts.append(_("{axis} slices", axis=_(seen.axis)))
    return _(", ").join(parts)


def version_text(run: Run) -> str:
    """Which run it is, and when it was trained."""
    model = run_facts.origin(run)
    if model is None:  # deleted since it was tested
        return _("Run {id}", id=run.tested_model)
    date = run_facts.when(model.status.ended or model.status.heartbeat)
    if not date or model.config.recipe == IMPORTED:
        return _("Run {id}", id=model.id)
    return _("Run {id}, trained {date}", id=model.id, date=date)


def network_text(run: Run) -> str:
    """Network and recipe."""
    config = run.config
    if config.recipe == IMPORTED:
        return _trained_elsewhere()
    if config.recipe == ENSEMBLE:
        return _members(run)
    recipe = config.recipe
    if recipe in RECIPES:
        recipe = _(RECIPES[recipe].title)
    return _(
        "{network}; recipe {recipe}",
        network=model_title(config.model),
        recipe=recipe,
    )


def described_network(run: Run) -> str:
    """Network, recipe and number of parameters."""
    facts = run.model_facts if run.model_path.exists() else None
    if facts is None:
        return network_text(run)
    network = network_text(run)
    if run.config.recipe == IMPORTED:
        network = _("Trained elsewhere and imported")
    return _(
        "{network}; {parameters:,} parameters",
        network=network,
        parameters=facts.parameters,
    )


def training_text(run: Run) -> str:
    """How it was trained."""
    config, model = run.config, run_facts.origin(run)
    if config.recipe == IMPORTED:
        return _trained_elsewhere()
    if config.recipe == ENSEMBLE:
        return join_sentences(filter(None, [_as_members(), corrupted_members(run)]))
    status = model.status if model else None
    ended = run_facts.when(status.ended or status.heartbeat) if status else BLANK
    parts = [
        _(config.training),
        _("at most {epochs} epochs", epochs=config.epochs),
        _("seed {seed}", seed=config.seed),
    ]
    if config.class_weights:
        parts.append(_("classes weighted"))
    if config.augmentation.active:
        parts.append(_("augmented"))
    if share := config.augmentation.corruption:
        parts.append(_("{share:.0f} % of the images corrupted", share=100 * share))
    training = _(", ").join(parts)
    if not ended:
        return training
    return _("{training}; ended {ended}", training=training, ended=ended)


def imbalance_text(run: Run) -> str:
    """What was done for rare classes."""
    if run.config.recipe == IMPORTED:
        return _trained_elsewhere()
    if run.config.recipe == ENSEMBLE:
        return _as_members()
    weighted = run.config.class_weights
    return (
        _("Class weights: rare classes weigh more in the loss.")
        if weighted
        else _("Nothing was done.")
    )


def _trained_elsewhere() -> str:
    return _("Not known here: the model was trained elsewhere and imported.")


def _members(run: Run) -> str:
    """The models that an ensemble averages."""
    model = run_facts.origin(run)
    ensemble = model.ensemble if model else None
    if ensemble is None:  # deleted since it was tested
        return _("Ensemble")
    members = _(", ").join(ensemble.members.values())
    if model and model.model_facts.geometric:
        return _(
            "Ensemble: the geometric mean of the calibrated probabilities of {members}",
            members=members,
        )
    return _(
        "Ensemble: the arithmetic mean of the calibrated probabilities of {members}",
        members=members,
    )


def _as_members() -> str:
    return _("See its members: an ensemble learns nothing itself.")
