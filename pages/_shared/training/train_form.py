"""The settings of a run as a form of four tabs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import streamlit as st

from medmodel.core import devices
from medmodel.core.config import (
    Flips,
    Optimizer,
    Precision,
    Schedule,
    TrainConfig,
    Training,
)
from medmodel.core.config_problems import config_problems
from medmodel.core.environment import ray_address
from medmodel.core.preprocessing import Colour, Fit
from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION, Augmentation
from medmodel.core.settings.network_names import (
    FROZEN_MODELS,
    MODEL_NAMES,
    SEGMENTATION_MODELS,
    model_title,
)
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.language import N_, _, translate
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible_label
from pages._shared.training.setting_fields import Form

FIT_TITLES = {
    "pad": N_("Keep all, add black borders"),
    "crop": N_("Keep the centre"),
    "stretch": N_("Stretch to a square"),
}
COLOUR_TITLES = {"grey": N_("Grey"), "rgb": N_("Colour (RGB)")}
TRAINING_TITLES = {
    "frozen": N_("Last layer only (frozen)"),
    "fine_tune": N_("All layers, gently (fine-tune)"),
    "scratch": N_("All layers from scratch"),
}
PRECISION_TITLES = {"auto": N_("Fastest on this machine (auto)")}
SCHEDULE_TITLES = {
    "cosine": N_("Falls as a cosine"),
    "constant": N_("Constant"),
    "exponential": N_("Falls exponentially"),
}
FLIP_TITLES = {
    "none": N_("Off"),
    "horizontal": N_("Average with the horizontal flip"),
    "vertical": N_("Average with the vertical flip"),
    "both": N_("Average over both flips"),
}
OPTIMIZER_TITLES = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}
OWN_MODELS = (
    *("efficientnet_lite0", "compact_resnet", "document_cnn"),
    *FROZEN_MODELS,
    *SEGMENTATION_MODELS,
)


@dataclass(frozen=True)
class Previews:
    """What shows the effect of settings on the chosen data set.

    Args:
        patients: Shows what a patient pattern finds.
        augmentation: Shows what augmentation does to images.
    """

    patients: Callable[[str], None]
    augmentation: Callable[[TrainConfig], None]


def settings_form(
    start: TrainConfig, key: str, previews: Previews, scans: bool = False
) -> Form:
    """All settings beyond data set and recipe, in four tabs.

    Args:
        start: The values to begin with.
        key: Keeps the widgets of one start apart from those of another.
        previews: What shows their effect.
        scans: Whether there are DICOM or NIfTI files, which have a window.
    """
    form = Form(start, key)
    form.text(
        "name", _("Name"), placeholder=start.title, help=_("What the run is called.")
    )
    model, image, change, split = st.tabs(
        [
            legible_label(title)
            for title in (
                _("Network and training"),
                _("Images"),
                _("Augmentation"),
                _("Split and patients"),
            )
        ]
    )
    with model:
        _network(form)
    with image:
        _images(form, scans)
    with change:
        _augmentation(form)
        previews.augmentation(replace(start, **form.values))
    with split:
        _split(form, previews.patients)
    return form


def _network(form: Form) -> None:
    left, right = st.columns(2)
    with left:
        _model(form)
    with right:
        _optimisation(form)


def _model(form: Form) -> None:
    """The network, what of it is trained, and for how long."""
    networks = SEGMENTATION_MODELS if form.start.segments else MODEL_NAMES
    model = form.start.model
    if form.start.encoder or model in FROZEN_MODELS:
        networks = {model: model_title(model)}
    form.choice("model", _("Network"), tuple(networks), networks)
    if form.values["model"] not in OWN_MODELS:
        form.text(
            "weights",
            _("Weights file on this server, or imagenet (optional)"),
            help=_(
                "A .weights.h5 file of keras.applications. The word imagenet "
                "downloads its published weights. Empty: random weights."
            ),
        )
    ways = get_args(Training)
    if form.start.segments:
        ways = tuple(way for way in ways if way != "frozen")
    form.choice(
        *("training", _("What is trained"), ways, TRAINING_TITLES),
        help_text=meaning("frozen, fine-tuned, from scratch"),
    )
    form.number(
        "epochs", _("Epochs"), step=1, help=_("Passes over the training images.")
    )
    form.number(
        "patience",
        _("Stop early after (epochs)"),
        step=1,
        help=_(
            "Stops when validation loss has not improved for so many epochs. 0: never."
        ),
    )
    if not form.start.segments:
        form.toggle(
            "class_weights",
            _("Class weights"),
            _("Rare classes weigh more in the loss (inverse class frequency)."),
        )
    if form.values["training"] != "frozen":
        _descent(form)
    if not form.start.segments:
        _flips(form)
    form.toggle(
        "tensorboard",
        _("TensorBoard events"),
        _(
            "Each epoch is also written into the folder tensorboard of the run, to "
            "be looked at with: tensorboard --logdir workspace/runs"
        ),
    )


def _optimisation(form: Form) -> None:
    """Optimiser, learning rate, device and random numbers."""
    form.choice("optimizer", _("Optimiser"), get_args(Optimizer), OPTIMIZER_TITLES)
    form.number(
        "learning_rate",
        _("Learning rate"),
        settable=True,
        format="%g",
        step=0.0001,
        help=meaning("learning rate"),
    )
    form.choice(
        "schedule", _("Learning-rate schedule"), get_args(Schedule), SCHEDULE_TITLES
    )
    form.number("batch_size", _("Batch size (images per step)"), step=1)
    form.choice(
        "precision", _("Numerical precision"), get_args(Precision), PRECISION_TITLES
    )
    names = [device.name for device in devices.available()]
    titles = {d.name: translate(d.title) for d in devices.available()}
    if ray_address():  # whichever GPU it is, the cluster chooses it
        names = ["cpu", "gpu:0"]
        titles = {"cpu": _("Processor"), "gpu:0": _("A GPU")}
    titles["auto"] = _("Automatic: {device}", device=default_device())
    titles["all_gpus"] = _("All GPUs together")
    several = ["all_gpus"] if ray_address() or len(devices.gpus()) > 1 else []
    form.choice("device", _("Device"), ("auto", *names, *several), titles)
    form.number("seed", _("Seed"), step=1, help=_("The same seed, the same split."))
    form.number(
        "replicate",
        _("Replicate"),
        step=1,
        help=_(
            "Another number: other initial weights and another order of images on "
            "the same split. Instant learns the same whatever it is."
        ),
    )


def _descent(form: Form) -> None:
    """Options of gradient descent, off by default."""
    if not form.start.segments:
        form.toggle(
            "balanced_sampling",
            _("Class-balanced sampling"),
            _(
                "Every class comes equally often in an epoch, images of rare ones "
                "several times; class weights do not apply to training then."
            ),
        )
        form.number(
            "label_smoothing",
            _("Label smoothing"),
            format="%g",
            step=0.05,
            help=_(
                "Share of the true class that is spread over all classes in training, "
                "against overconfident scores. 0: none."
            ),
        )
        form.number(
            "mixup",
            _("Mixup (alpha)"),
            format="%g",
            step=0.1,
            help=_(
                "Trains on blends of two images and their labels, against overfitting; "
                "0.2 is usual. 0: none."
            ),
        )
    form.number(
        "ema",
        _("Weight averaging (EMA decay)"),
        format="%g",
        step=0.01,
        help=_(
            "The model is the moving average of the weights over about 1 / (1 − decay) "
            "steps, which evens out noise; 0.99 is usual. 0: the last weights."
        ),
    )
    form.number(
        "clip_norm",
        _("Gradient clipping (norm)"),
        format="%g",
        step=0.5,
        help=_("Longer gradients are shortened to this. 0: no limit."),
    )


def _flips(form: Form) -> None:
    form.choice(
        "test_time_flips",
        _("Test-time augmentation"),
        get_args(Flips),
        FLIP_TITLES,
        help_text=_(
            "Each prediction is the mean over the image and its mirror images, and "
            "takes as many times longer. Only where left and right, or top and bottom, "
            "do not matter, as in skin or tissue sections: not for chest X-rays, CT or "
            "MR, where a mirrored image shows an anatomy that hardly exists."
        ),
    )


def _images(form: Form, scans: bool) -> None:
    form.number(
        "size",
        _("Size (pixels)"),
        step=1,
        help=_(
            "Height and width that the network sees, 28 to 512. 0: validation "
            "images decide (last layer only)."
        ),
    )
    form.choice("fit", _("Images that are not square"), get_args(Fit), FIT_TITLES)
    form.choice("colour", _("Colour"), get_args(Colour), COLOUR_TITLES)
    if scans:
        form.window()
        st.caption(_("Which slices of volumes count is chosen under Data sets."))
    form.enhancement()


def _augmentation(form: Form) -> None:
    st.markdown(
        _(
            "Small random changes to training images, so that the network does "
            "not learn them by heart. Flips are off: left and right matter in "
            "medical images."
        )
    )
    start, key = form.start.augmentation, form.key
    changed: dict[str, Any] = {}
    form.notes["augmentation"] = st.empty()
    suggested = MEDICAL_AUGMENTATION
    left, right = st.columns(2)
    limits = {
        "shift": (_("Shift (fraction of the side)"), 0.5, 0.01),
        "rotation": (_("Rotation (degrees)"), 180.0, 1.0),
        "zoom": (_("Zoom (fraction)"), 0.5, 0.01),
        "brightness": (_("Brightness (fraction of white)"), 0.5, 0.01),
        "contrast": (_("Contrast (fraction)"), 0.9, 0.01),
    }
    for position, (name, (label, most, step)) in enumerate(limits.items()):
        with left if position % 2 == 0 else right:
            changed[name] = st.slider(
                label,
                0.0,
                most,
                float(getattr(start, name)),
                step,
                key=f"{key}-{name}",
                help=_(
                    "Suggested for medical images: {value:g}.",
                    value=getattr(suggested, name),
                ),
            )
    flips = {
        "flip_horizontal": _("Horizontal flip"),
        "flip_vertical": _("Vertical flip"),
    }
    with st.container(horizontal=True, gap="large"):
        for name, label in flips.items():
            value = getattr(start, name)
            changed[name] = st.toggle(label, value, key=f"{key}-{name}")
    changed["corruption"] = st.slider(
        _("Corrupted training images (share)"),
        0.0,
        1.0,
        float(start.corruption),
        0.05,
        key=f"{key}-corruption",
        help=_(
            "So many training images get one corruption of the corruption test in "
            "Evaluate, such as noise, blur or compression, of any strength, so that "
            "the model stands up to them better."
        ),
    )
    form.values["augmentation"] = Augmentation(**changed)


def _split(form: Form, preview: Callable[[str], None]) -> None:
    st.markdown(_("Used only where the folder does not bring its own split."))
    left, right = st.columns(2)
    with left:
        form.number("val_fraction", _("Validation fraction"), step=0.01, format="%.2f")
    with right:
        form.number("test_fraction", _("Test fraction"), step=0.01, format="%.2f")
    form.number(
        "folds",
        _("Folds (cross-validation)"),
        step=1,
        help=_(
            "1: one run with one split. More: one run for each fold, which is "
            "its test, whatever split the folder brings; the folder's own test "
            "images take no part. Patients stay whole, classes are spread "
            "evenly."
        ),
    )
    form.text(
        "patient_pattern",
        _("Patient ID pattern (regular expression)"),
        help=_(
            "Its first group is the patient. All images of a patient go to the "
            "same side of the split. Empty: patients are unknown."
        ),
    )
    if "patient_pattern" not in config_problems(replace(form.start, **form.values)):
        preview(form.values["patient_pattern"])


def default_device() -> str:
    """What `auto` means on this machine or its cluster, in words."""
    if ray_address():
        return _("a device that the cluster chooses")
    available = devices.gpus() or devices.available()
    return translate(available[0].title)


FIELD_TITLES = {
    "size": N_("size"),
    "epochs": N_("epochs"),
    "batch_size": N_("batch size"),
    "learning_rate": N_("learning rate"),
    "patience": N_("early stopping"),
    "val_fraction": N_("validation fraction"),
    "test_fraction": N_("test fraction"),
    "patient_pattern": N_("patient pattern"),
    "folds": N_("folds"),
    "window": N_("window of scans"),
    "training": N_("what is trained"),
    "augmentation": N_("augmentation"),
}


def attention(config: TrainConfig) -> str:
    """Which fields need attention, in one sentence; empty if none does."""
    field_names = {field.name for field in fields(TrainConfig)}
    names = [
        _(FIELD_TITLES.get(name) or SETTING_TITLES[name])
        for name in config_problems(config)
        if name in field_names
    ]
    if not names:
        return ""
    return _("Under More settings, look at: {fields}.", fields=_(", ").join(names))
