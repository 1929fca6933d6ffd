"""Entries of docs/glossary.md that pages and documents show, for readers of reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from medmodel.language import N_, _

TRANSLATED = {
    N_("window"): N_(
        "the range of measured values, in CT of Hounsfield units, that is spread "
        "over all grey levels; given by its centre and its width"
    ),
    N_("redaction"): N_("parts of an image made black, where text is burned in"),
    N_("de-identification"): N_(
        "a copy of a DICOM file without what tells whom it shows (DICOM PS3.15, "
        "annex E)"
    ),
    N_("leakage"): N_(
        "a patient or an image on both sides of a split, so that the test is no test"
    ),
    N_("split"): N_(
        "the part of the images that a model learns from (train), that every choice"
        " is made on (val, validation), or that is only reported (test)"
    ),
    N_("fold"): N_(
        "one of k parts of the images in a cross-validation, each of which is the "
        "test split of one run"
    ),
    N_("cross-validation"): N_(
        "one configuration trained fold by fold, so that every image is a test "
        "image once"
    ),
    N_("external validation"): N_(
        "a finished model tested on another folder, of patients of another place"
    ),
    N_("model card"): N_(
        "what is known of a run, in the words of reporting guidelines"
    ),
    N_("calibrated probability"): N_(
        "a score after temperature scaling: of images with 80 %, about 80 % are of "
        "the class"
    ),
    N_("threshold"): N_("the score from which on a class is called"),
    N_("operating point"): N_(
        "a threshold for each class, chosen by a rule on validation images and "
        "frozen before test images are looked at"
    ),
    N_("prevalence"): N_("part of the patients who have the class"),
    N_("heat map, saliency map"): N_(
        "where a network was sensitive for a class, in [0, 1] for each pixel; not "
        "the outline of a lesion"
    ),
    N_("out-of-distribution (OOD)"): N_(
        "unlike the training images, so that a model's scores mean nothing"
    ),
    N_("neighbours"): N_(
        "the training images whose features are nearest to an image's"
    ),
    N_("conformal set"): N_(
        "classes that together hold the right one as often as was asked, 90 % of "
        "the time for instance"
    ),
    N_("coverage"): N_("how often conformal sets hold the right class"),
    N_("preprocessing"): N_(
        "how any image becomes a model's input: window, enhancements, size, fit, colour"
    ),
    N_("accuracy"): N_("part of the images whose predicted class is their label"),
    N_("sensitivity (recall)"): N_(
        "proportion of the images of a class that are predicted as the class: true "
        "positives of true positives and false negatives"
    ),
    N_("specificity"): N_(
        "proportion of all other images that are not predicted as the class: true "
        "negatives of true negatives and false positives"
    ),
    N_("positive predictive value (PPV, precision)"): N_(
        "proportion of the images predicted as the class that are of it; it falls "
        "with the prevalence"
    ),
    N_("negative predictive value (NPV)"): N_(
        "proportion of the images predicted as others that are others; it rises as "
        "the prevalence falls"
    ),
    N_("F1 score"): N_("harmonic mean of sensitivity and positive predictive value"),
    N_("Matthews correlation coefficient (MCC)"): N_(
        "correlation of true and predicted classes: 0 is chance, 1 is perfect"
    ),
    N_("balanced accuracy"): N_(
        "mean of the sensitivities of the classes, of two classes of sensitivity "
        "and specificity: rare classes count as much as common ones"
    ),
    N_("macro-averaged"): N_(
        "the mean over the classes, each against all others, each with the same weight"
    ),
    N_("confusion matrix"): N_(
        "how many images of each true class (rows) were predicted as each class "
        "(columns)"
    ),
    N_("ROC curve"): N_(
        "sensitivity against 1 − specificity at every threshold; the diagonal is "
        "guessing"
    ),
    N_("AUC"): N_(
        "area under the ROC curve: how often an image of the class scores higher "
        "than another; 0.5 is chance"
    ),
    N_("precision–recall curve"): N_(
        "positive predictive value against sensitivity at every threshold; it "
        "depends on the prevalence"
    ),
    N_("average precision"): N_(
        "area under the precision–recall curve; guessing reaches the prevalence"
    ),
    N_("majority class"): N_(
        "the commonest class; always answering it is the baseline that a model must"
        " beat"
    ),
    N_("interval"): N_(
        "the 95 % confidence interval of a number; wider where several images are "
        "of one patient"
    ),
    N_("calibration"): N_(
        "whether scores come true as often as they say; measured in bins (reliability)"
    ),
    N_("temperature scaling"): N_(
        "all scores made more or less confident by one number, the temperature, "
        "that is fitted on validation images; no predicted class changes"
    ),
    N_("expected calibration error (ECE)"): N_(
        "mean distance between scores and observed frequencies; of few images it is"
        " above 0 by chance"
    ),
    N_("log loss"): N_(
        "mean negative logarithm of the score of the true class; confident errors "
        "cost most, 0 is perfect"
    ),
    N_("Brier score"): N_(
        "mean squared distance of the scores from the truth; 0 is perfect"
    ),
    N_("decision curve"): N_(
        "net benefit of acting on a score, against acting on everybody or on nobody"
    ),
    N_("paired test"): N_(
        "whether two models differ on the same images, corrected for several "
        "comparisons (McNemar, DeLong, bootstrap; Holm)"
    ),
    N_("embedding map"): N_(
        "every image of a data set as a point, similar ones near each other (t-SNE "
        "of a pretrained network's features); axes and far distances mean nothing"
    ),
    N_("mask"): N_(
        "an image beside another one that says of each of its pixels what it shows:"
        " 0 is the background, every other number a class"
    ),
    N_("loss"): N_(
        "what training makes smaller: cross-entropy, which is the mean negative "
        "logarithm of the true class's score; of segmentations Dice counts, too; "
        "validation loss is that of images that no weight has learned from"
    ),
    N_("learning rate"): N_(
        "how far weights move in one step: too high and the loss jumps, too low and"
        " it hardly falls"
    ),
    N_("sweep"): N_(
        "many trainings of one data set with different settings, compared on the "
        "same validation images; each is a trial"
    ),
    N_("imported model"): N_(
        "a classifier that was trained elsewhere: nothing is known of its training "
        "images"
    ),
    N_("batch prediction"): N_(
        "every image of a folder through one model; a table with one line for each file"
    ),
    N_("segmentation"): N_("a class for every pixel, drawn as the outlines of areas"),
    N_("risk"): N_(
        "proportion of images with the same score that are of the class, at the "
        "prevalence that is named"
    ),
    N_("Dice"): N_(
        "twice the area that outline and mask share, divided by the sum of both "
        "areas: 0 is nothing in common, 1 is perfect"
    ),
    N_("IoU (Jaccard)"): N_(
        "the area that outline and mask share, divided by the area that they cover "
        "together: 0 is nothing in common, 1 is perfect"
    ),
    N_("HD95"): N_(
        "distance that 95 % of the points of each border, the outline's and the "
        "mask's, do not exceed from the other border; 0 is perfect"
    ),
    N_("sensitivity per lesion"): N_(
        "proportion of the lesions, connected areas of a mask, of which the outline"
        " covers at least half"
    ),
    N_("area error"): N_(
        "difference between the outlined area and that of the mask, as a share of "
        "the mask's, whatever its sign"
    ),
    N_("image corruption"): N_(
        "noise, blur, compression and the like, added to test images on purpose to "
        "see how much accuracy they cost"
    ),
    N_("reader study"): N_(
        "a person reads test images alone, then with the model's answer; both are "
        "compared with the model"
    ),
    N_("confidence of a reader"): N_(
        "how sure a reader is of the class that was named, in %; the reader's ROC "
        "curve is made of it"
    ),
    N_("Cohen's kappa (κ)"): N_(
        "agreement of two readers beyond what chance would give: 0 is chance, 1 is "
        "full agreement"
    ),
    N_("concordance (C-index)"): N_(
        "of two patients, how often the one with the higher predicted risk meets "
        "the event first: 0.5 is chance, 1 is perfect"
    ),
    N_("Cox model"): N_(
        "how predictors raise or lower the rate of events: each multiplies it by "
        "the same factor at every time, the hazard ratio"
    ),
    N_("Kaplan-Meier curve"): N_(
        "estimated share of patients without the event over time, also where some "
        "were followed only for a part of it (censored)"
    ),
    N_("log-rank test"): N_(
        "whether groups of patients differ in when the event happens"
    ),
    N_("target lesion"): N_(
        "a lesion that is measured at every visit: five at most, two in one organ "
        "(RECIST 1.1)"
    ),
    N_("RECIST 1.1"): N_(
        "response of solid tumours from the sum of the target lesions' diameters: "
        "partial response from 30 % below the baseline on, progression from 20 % "
        "and 5 mm above the smallest sum on, or with a new lesion"
    ),
    N_("repeatability"): N_(
        "by how much two measurements of the same lesion differ, 95 times of 100: a"
        " smaller change may be the error of measuring"
    ),
    N_("doubling time"): N_(
        "days in which a lesion's volume doubles at the pace between two dates, its"
        " volume being as the third power of the diameter; negative where it halves"
    ),
    N_("reading room"): N_(
        "phones read the same test images before truth and model are revealed"
    ),
    N_("recipe"): N_(
        "a named starting point for the settings of a run: Instant, Compact CNN, …"
    ),
    N_("frozen, fine-tuned, from scratch"): N_(
        "only the last layer learns; pretrained weights learn on; all weights start"
        " at random"
    ),
}
"""The entries that pages and documents show, as docs/glossary.md has them: no catalogue
reads it."""
METRIC_TERMS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity (recall)",
    "specificity": "specificity",
    "ppv": "positive predictive value (PPV, precision)",
    "npv": "negative predictive value (NPV)",
    "f1": "F1 score",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "Matthews correlation coefficient (MCC)",
    "auc": "AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "expected calibration error (ECE)",
}
"""Key of `METRICS` -> its entry."""

EVALUATION_TERMS = (
    *METRIC_TERMS.values(),
    *("macro-averaged", "interval", "majority class", "confusion matrix", "ROC curve"),
    *("precision–recall curve", "calibration", "operating point", "leakage"),
)
"""What the document of an evaluation explains."""
CARD_TERMS = (
    *("accuracy", "balanced accuracy", "AUC", "majority class", "interval"),
    *(METRIC_TERMS[key] for key in ("sensitivity", "specificity", "ppv", "npv")),
    *("split", "leakage", "preprocessing", "calibration", "temperature scaling"),
    *("out-of-distribution (OOD)", "heat map, saliency map", "external validation"),
)
"""What a model card explains."""
FINDING_TERMS = (
    *("AUC", "average precision", "interval", "ROC curve", "precision–recall curve"),
    *(METRIC_TERMS[key] for key in ("sensitivity", "specificity", "ppv", "npv")),
    *("expected calibration error (ECE)", "calibration", "temperature scaling"),
    "leakage",
)
"""What the evaluation of several findings explains."""
FINDING_CARD_TERMS = (
    *FINDING_TERMS,
    *("split", "preprocessing", "out-of-distribution (OOD)"),
    *("heat map, saliency map", "external validation"),
)
"""What their model card explains."""
SEGMENTATION_TERMS = (
    *("Dice", "IoU (Jaccard)", "HD95", "sensitivity per lesion", "area error"),
    *("mask", "segmentation", "interval"),
)
"""What the evaluation of a segmentation explains."""


class Entry(NamedTuple):
    """A term and what it means, in the present language."""

    term: str
    meaning: str


def entry(term: str, meaning: str) -> Entry:
    """An entry as it stands in a text: a capital first, without marks of code."""
    name, text = _(term), _(meaning)
    return Entry(name[0].upper() + name[1:], text.replace("*", "").replace("`", ""))


def entries(terms: Iterable[str]) -> list[Entry]:
    """Those of some keys of `TRANSLATED`, by name."""
    return sorted(entry(term, TRANSLATED[term]) for term in terms)
