"""Row interval_coverage: how often each kind of 95 % interval holds the truth.

A share of few images takes few values, so that of each single population an interval
holds the truth a little more or less often, in waves. As Brown, Cai and DasGupta do
(Statistical Science 16 (2001) 101), coverage is therefore a mean over populations: of
classes that are easier and harder to tell apart, balanced and rare, of two to thirty,
with patients and without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.validity.reader_coverage import ROOMS, asked_readers
from medmodel.benchmark.validity.risk_coverage import SAMPLES, SCORES, asked_risks
from medmodel.benchmark.validity.segmentation_coverage import OUTLINES, asked_metrics
from medmodel.benchmark.validity.simulation import Asked, Setting, simulate
from medmodel.benchmark.validity.survival_coverage import POPULATIONS, asked_survival
from medmodel.evaluation.calibration.calibration_metrics import (
    bin_numbers,
    reliability_diagram,
)
from medmodel.evaluation.calibration.temperature_scaling import fit_temperature
from medmodel.evaluation.comparison import model_comparison
from medmodel.evaluation.comparison.model_comparison import (
    COMPARED,
    CommonImages,
    kind_of_difference,
)
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.decision.thresholds import at_prevalence, outcome
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import MINIMA, all_images, count_units
from medmodel.evaluation.metrics.curves import (
    decision_curve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.metrics.metric_table import METRICS, limiting_group
from medmodel.evaluation.predictions import Predictions

SIMULATIONS = 100
"""Splits that are drawn of each population."""
SHIFTS = (-0.6, -0.36, -0.12, 0.12, 0.36, 0.6)
"""Added to the distance of a setting's classes: a population each."""
_TRUTH = 100_000
_TRUTH_OF_AREAS = 400_000
"""Images from which a truth is known. That of a difference of two areas must be known
much better than from the 1,000 images of the largest splits."""
_CLASS = 1  # the rare one, where there is one
_CUT = 0.3
_RATES = (5, 10, 25)  # 10, 20 and 50 % of false alarms
_RECALLS = (9, 24, 39)  # 20, 50 and 80 %
_BINS = (5, 7, 9)  # scores from 0.5, 0.7 and 0.9 on
_BENEFITS = np.array([0.1, 0.3])
_ELSEWHERE = 0.02  # the prevalence at which predictive values are asked for
_COMPARED = tuple(key for key in COMPARED if key != "auc")
_MANY = 10
"""Classes whose means are told apart: the interval of a mean of many is narrow, so that
what is a little off in each class is far off in their mean."""
_PROMISED = 0.9
"""Coverage that conformal sets are asked for."""
_FEWEST = 200
"""Intervals of which a coverage is told, to within about 2 points."""

SETTINGS: list[Setting] = [
    *(Setting("two", (0.5, 0.5), n, separation=1.5) for n in (20, 32, 64, 160, 480)),
    *(Setting("rare", (0.9, 0.1), n, separation=1.8) for n in (120, 240, 480)),
    *(Setting("three", (1 / 3, 1 / 3, 1 / 3), n) for n in (45, 90, 240)),
    *(Setting("ten", (0.1,) * 10, n) for n in (250, 600)),
    *(Setting("ten", (0.1,) * 10, n, stratified=True) for n in (100, 150)),
    *(Setting("thirty", (1 / 30,) * 30, n, stratified=True) for n in (300, 600)),
    *(
        Setting("two", (0.5, 0.5), patients=n, separation=1.5)
        for n in (3, 4, 10, 24, 40, 80, 160)
    ),
    *(Setting("rare", (0.85, 0.15), patients=n) for n in (100, 240)),
    Setting("ten", (0.1,) * 10, patients=100, stratified=True),
    Setting("thirty", (1 / 30,) * 30, patients=300, stratified=True),
    *(Setting("sure", (0.5, 0.5), n, separation=1.5, sharpness=3.0) for n in (32, 220)),
    Setting("unsure", (0.5, 0.5), 220, separation=1.5, sharpness=0.6),
]
"""From the fewest images and patients on; of 3 and 4 patients no interval is given."""
SETS: list[Setting] = [
    *(Setting("two", (0.5, 0.5), n, separation=1.5) for n in (14, 32, 100)),
    *(Setting("two", (0.5, 0.5), patients=n, separation=1.5) for n in (14, 40)),
]
"""For the coverage of conformal sets."""
LEADS = (0.0, 0.3, 0.8)
"""How much farther apart the better of two models has the classes."""
AREAS: list[Setting] = [
    *(Setting("two", (0.5, 0.5), n, separation=1.5) for n in (70, 120, 300)),
    *(Setting("rare", (0.85, 0.15), n, separation=1.5) for n in (230, 500)),
    *(Setting("three", (1 / 3, 1 / 3, 1 / 3), n, separation=1.5) for n in (110, 240)),
    *(Setting("two", (0.5, 0.5), patients=n, separation=1.5) for n in (70, 120, 300)),
    *(Setting("rare", (0.85, 0.15), patients=n, separation=1.5) for n in (230, 500)),
]
"""For differences of areas under the ROC curve, which take little time each."""
PAIRED: list[Setting] = [
    *(Setting("two", (0.5, 0.5), n, separation=1.5) for n in (50, 100, 300)),
    Setting("rare", (0.8, 0.2), 300),
    *(Setting("two", (0.5, 0.5), patients=n, separation=1.5) for n in (50, 140)),
]


class Interval(NamedTuple):
    """An interval as a page prints it.

    Args:
        name: What it is of.
        kind: Key of `minima.MINIMA`.
        units: Images, or patients, of the smallest group that it rests on.
        estimate: The number with the interval.
    """

    name: str
    kind: str
    units: int
    estimate: Estimate


@dataclass
class Count:
    """Intervals that were given, and of these those that hold the truth."""

    given: int = 0
    right: int = 0

    @property
    def share(self) -> float:
        """Coverage, 0 to 1."""
        return self.right / self.given


Counts = dict[tuple[str, str, bool], Count]
"""By name, "images" or "patients", and whether they were less than twice the fewest."""


def interval_coverage(
    simulations: int = SIMULATIONS, processes: int = -1
) -> list[Measurement]:
    """Coverage of each kind of interval at the fewest images or patients, and beyond.

    Args:
        simulations: Splits that are drawn of each population.
        processes: At the same time; -1 for one per core.
    """
    counts: Counts = defaultdict(Count)
    counted = Parallel(processes)(delayed(_counted)(p) for p in _parts(simulations))
    for part in counted:
        for key, count in part.items():
            counts[key].given += count.given
            counts[key].right += count.right
    measurements = []
    for name, unit in sorted({(name, unit) for name, unit, _ in counts}):
        parts = {few: counts[name, unit, few] for few in (True, False)}
        shares = [c.share for c in parts.values() if c.given >= _FEWEST]
        if not shares:
            continue
        note = f"{name}, by {unit}: " + "; ".join(
            f"{'less than' if few else 'from'} twice the fewest {part.share:.3f} "
            f"of {part.given:,}"
            for few, part in parts.items()
            if part.given
        )
        lowest, highest = min(shares), max(shares)
        measurements += [
            at_least("interval_coverage", lowest, 0.93, "share", note),
            at_most("interval_coverage", highest, 0.985, "share", note),
        ]
    fewest = max(least.images for least in MINIMA.values())
    note = "fewest images (patients) of each: " + ", ".join(
        f"{kind} {least.images} ({least.patients})" for kind, least in MINIMA.items()
    )
    measurements.append(at_most("interval_coverage", fewest, 300, "images", note))
    return measurements


def _parts(simulations: int) -> Iterator[Callable[[Counts], None]]:
    """What a process each counts, the longest first: each draws from its own seed."""
    for setting in sorted(SETTINGS, key=_work, reverse=True):
        yield partial(count_covered, setting, simulations)
    for setting in PAIRED:
        fewer = max(simulations // 4, 1)
        yield partial(count_covered, setting, fewer, lead=0.3, compared=_COMPARED)
    for setting in AREAS:
        for lead in LEADS:
            fewer = max(simulations // len(LEADS), 1)
            yield partial(
                count_covered,
                setting,
                fewer,
                lead=lead,
                compared=("auc",),
                known_from=_TRUTH_OF_AREAS,
            )
    yield partial(count_risks, simulations)
    for seed, outlines in enumerate(OUTLINES):
        yield partial(_count, partial(asked_metrics, outlines, simulations, seed))
    for seed, room in enumerate(ROOMS):
        yield partial(_count, partial(asked_readers, room, simulations, seed))
    for setting in SETS:
        yield partial(_count, partial(asked_sets, setting, simulations))
    for seed, population in enumerate(POPULATIONS):
        yield partial(_count, partial(asked_survival, population, simulations, seed))


def _work(setting: Setting) -> int:
    """Numbers in a table of predictions."""
    return len(setting.shares) * (setting.images or 3 * setting.patients)


def _counted(part: Callable[[Counts], None]) -> Counts:
    counts: Counts = defaultdict(Count)
    part(counts)
    return counts


def _count(ask: Callable[[], Iterable[Asked]], counts: Counts) -> None:
    for asked in ask():
        if not asked.estimate.has_interval:
            continue
        unit = "patients" if asked.of_patients else "images"
        count = counts[asked.name, unit, asked.units < 2 * asked.least]
        count.given += 1
        low, high = asked.estimate.low - 1e-9, asked.estimate.high + 1e-9
        count.right += low <= asked.truth <= high


def count_covered(
    setting: Setting,
    simulations: int,
    counts: Counts,
    *,
    lead: float = 0.0,
    compared: Sequence[str] = (),
    known_from: int = 0,
    seed: int = 0,
) -> None:
    """Counts intervals of simulated splits that hold the truth.

    The truth is what the same function finds in very many independent images.

    Args:
        setting: Kind of population, of which one with each of `SHIFTS` is drawn from.
        simulations: Splits of each population.
        counts: Is added to.
        lead: How much farther apart the better of two models has the classes.
        compared: Metrics of which the difference of two models is asked for; none
            asks for the intervals of one model.
        known_from: Images from which the truth is known; 0 for `_TRUTH`.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    unit = "patients" if setting.patients else "images"
    for shift in SHIFTS:
        distance = setting.separation + shift
        population = replace(setting, separation=distance)
        models = (distance + lead, distance) if compared else ()
        everyone = replace(population, images=known_from or _TRUTH, patients=0)
        truth = {
            interval.name: interval.estimate.value
            for interval in printed(
                simulate(everyone, rng, models), compared, truth=True
            )
        }
        for _ in range(simulations):
            for name, kind, units, estimate in printed(
                simulate(population, rng, models), compared
            ):
                if not estimate.has_interval:
                    continue
                least = getattr(MINIMA[kind], unit)
                count = counts[name, unit, units < 2 * least]
                count.given += 1
                # Rounding must not put a truth beyond an end that equals it.
                low, high = estimate.low - 1e-9, estimate.high + 1e-9
                count.right += low <= truth[name] <= high


def asked_sets(setting: Setting, simulations: int, seed: int = 0) -> Iterator[Asked]:
    """Coverage of conformal sets from drawn validation images, on drawn test images.

    Args:
        setting: Kind of population, of which one with each of `SHIFTS` is drawn from.
        simulations: Splits of each population.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    of_patients = bool(setting.patients)
    minimum = MINIMA["accuracy"]
    least = minimum.patients if of_patients else minimum.images
    for shift in SHIFTS:
        population = replace(setting, separation=setting.separation + shift)
        (everyone,) = simulate(replace(population, images=_TRUTH, patients=0), rng)
        for _ in range(simulations):
            (validation,) = simulate(population, rng)
            (data,) = simulate(population, rng)
            fitted = conformal.fit(validation.scores, validation.truth, _PROMISED)
            measured = fitted.covered(data.scores, data.truth, data.patients)
            truth = fitted.covered(everyone.scores, everyone.truth).value
            units = count_units(None, data.patients, len(data.truth))
            yield Asked("coverage of sets", units, of_patients, least, measured, truth)


def count_risks(simulations: int, counts: Counts, seed: int = 0) -> None:
    """Counts intervals of risks that hold the truth, likewise.

    Args:
        simulations: Splits of each shape of scores and each size; a quarter as many.
        counts: Is added to.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    for sample in SAMPLES:
        unit = "patients" if sample.patients else "images"
        least = getattr(MINIMA["risk"], unit)
        for scores in SCORES:
            for _ in range(max(simulations // 4, 1)):
                for estimate, risk, units in asked_risks(scores, sample, rng):
                    if estimate.has_interval:
                        count = counts["risk", unit, units < 2 * least]
                        count.given += 1
                        count.right += estimate.low <= risk <= estimate.high


def printed(
    models: Sequence[Predictions], compared: Sequence[str] = (), truth: bool = False
) -> Iterator[Interval]:
    """Every kind of interval that pages print, of one model or of two.

    Args:
        models: One or two models' predictions of the same images.
        compared: Metrics of which differences of two models are wanted.
        truth: Whether differences are wanted without intervals, of very many images.
    """
    if len(models) == 2:
        yield from _differences(models, compared, truth)
        return
    (data,) = models
    together = "all classes" if len(data.classes) < _MANY else "many classes"
    for key, metric in METRICS.items():
        for position, name in ((None, together), (_CLASS, "one class")):
            units = limiting_group(key, data, position).count
            estimate = metric.estimate(data, position)
            yield Interval(f"{key}, {name}", key, units, estimate)
    yield from _operating_point(data)
    yield from _curves(data)
    found = fit_temperature(data)
    if not found.bounded:
        group = all_images(data.patients, len(data.truth))
        estimate = Estimate(found.value, found.low, found.high, found.images)
        estimate = where_enough(estimate, "temperature", group)
        yield Interval("temperature", "temperature", group.count, estimate)


def _operating_point(data: Predictions) -> Iterator[Interval]:
    at_cut = outcome(data, _CLASS, _CUT).metrics
    positive, called = data.truth == _CLASS, data.scores[:, _CLASS] >= _CUT
    groups = {"sensitivity": positive, "specificity": ~positive}
    groups |= {"ppv": called, "npv": ~called}
    for key, group in groups.items():
        units = count_units(group, data.patients)
        yield Interval(f"{key} at a threshold", key, units, at_cut[key])
    units = min(count_units(group, data.patients) for group in (positive, ~positive))
    forecast = at_prevalence(at_cut["sensitivity"], at_cut["specificity"], _ELSEWHERE)
    yield Interval("ppv at another prevalence", "ppv", units, forecast.ppv)
    yield Interval("npv at another prevalence", "npv", units, forecast.npv)


def _curves(data: Predictions) -> Iterator[Interval]:
    n, positive = len(data.truth), data.truth == _CLASS
    units = min(count_units(group, data.patients) for group in (positive, ~positive))
    benefit = decision_curve(data, _CLASS, _BENEFITS)
    for at, cut in enumerate(_BENEFITS.tolist()):
        value, low, high = benefit.model[at], benefit.low[at], benefit.high[at]
        estimate = Estimate(float(value), float(low), float(high), n)
        yield Interval(f"net benefit at {cut:g}", "net_benefit", units, estimate)
    roc = roc_curve(data, _CLASS)
    for at in _RATES if roc.too_few is None else ():
        x = roc.band_x[at]
        value = float(np.interp(x, roc.x, roc.y))
        estimate = Estimate(value, float(roc.low[at]), float(roc.high[at]), n)
        name = f"sensitivity at 1 - specificity {x:.1f}"
        yield Interval(name, "roc_band", units, estimate)
    yield from _precisions(data, units)
    for at, share in ((at, reliability_diagram(data)[at].share) for at in _BINS):
        inside = bin_numbers(data.scores.max(axis=1)) == at
        in_bin = count_units(inside, data.patients)
        yield Interval(
            f"share of scores from {at / 10:g} on", "accuracy", in_bin, share
        )


def _precisions(data: Predictions, units: int) -> Iterator[Interval]:
    """Of the precision-recall curve, as the false alarms that each precision means.

    The curve is drawn at the prevalence of these images, which others do not share.
    """
    curve = precision_recall_curve(data, _CLASS)
    positive = data.truth == _CLASS
    odds = float(positive.sum() / (~positive).sum())
    for at in _RECALLS if curve.too_few is None else ():
        recall = float(curve.band_x[at])
        here = float(np.interp(recall, curve.x, curve.y))
        ends = np.maximum([here, curve.high[at], curve.low[at]], 1e-12)
        value, low, high = (recall * odds * (1 / ends - 1)).tolist()
        estimate = Estimate(value, low, high, len(positive))
        yield Interval(f"precision at recall {recall:.1f}", "roc_band", units, estimate)


def _differences(
    models: Sequence[Predictions], compared: Sequence[str], truth: bool
) -> Iterator[Interval]:
    names = dict(zip("ab", models, strict=True))
    common = CommonImages([], names, dict.fromkeys(names, 0))
    for metric in compared:
        kind = kind_of_difference(metric)
        if truth:
            ones = np.ones((1, len(models[0].truth)))
            a, b = (float(METRICS[metric].weighted(m, ones)[0]) for m in models)
            estimate = Estimate(a - b, 0.0, 0.0, len(models[0].truth))
        else:
            estimate = model_comparison.difference(common, "a", "b", metric).estimate
        units = min(limiting_group(metric, model).count for model in models)
        yield Interval(f"difference of {metric}", kind, units, estimate)
