"""The sections of the page about what models do: sentences and pictures."""

import numpy as np

from keras_kd import explain
from keras_kd.report.calibration import reliability_diagram
from keras_kd.report.classes import confusion, soft_target_matrix
from keras_kd.report.helped import outcome_bars
from keras_kd.report.looks import map_grid, of_each_class

_SHOWN_IMAGES = 6
_COMPARED_IMAGES = 48
_NAMES = {"teacher": "teacher", "student": "student", "scratch": "labels alone"}
_WHOM = {"student": "student", "scratch": "student from labels alone"}
_METHODS = {"grad_cam++": "Grad-CAM++", "score_cam": "Score-CAM"}


def confusions(has, album, options):
    """Class against class, of the teacher and the student."""
    pictures = []
    for role in ("teacher", "student"):
        if role in has.chosen:
            figure = confusion(has.y, has.chosen[role], has.class_names, title=role)
            right = float(np.mean(has.chosen[role] == has.y))
            alt = f"Confusion of the {role}, which is right on {right:.1%}"
            pictures.append(album.picture(figure, "", alt=alt))
    return ["A row is a true class, a number how many test examples."], pictures


def outcomes(has, album, options):
    """Helped and hurt."""
    found = explain.outcomes(
        has.y, has.logits["teacher"], has.logits["student"], has.logits.get("scratch")
    )
    both, neither, helped, hurt = found.counts
    other = "the student from labels alone"
    if found.against == "teacher":
        other = "the teacher (there is no student from labels alone to compare with)"
    text = [
        f"Of {len(has.y):,} examples the distilled student and {other} are both right "
        f"on {both:,} and both wrong on {neither:,}. On {helped:,} the distilled "
        f"student alone is right, on {hurt:,} it alone is wrong."
    ]
    picture = album.picture(
        outcome_bars(found, has.class_names), "", alt="Helped and hurt by class"
    )
    return text, [picture, *_changed(has, found, album)]


def _changed(has, found, album):
    """The first images that were helped and hurt, if the examples are images."""
    if not has.of_images:
        return []
    pictures = []
    for title, places in (("helped", found.helped), ("hurt", found.hurt)):
        places = places[:_SHOWN_IMAGES]
        if len(places):
            chosen = has.chosen["student"][places]
            names = [
                f"{has.class_names[true]}\n→ {has.class_names[one]}"
                for true, one in zip(has.y[places], chosen, strict=True)
            ]
            caption = f"First that were {title}: true class, → student's choice."
            picture = album.picture(
                map_grid(has.x[places], {}, names), caption, alt=caption
            )
            pictures.append(picture)
    return pictures


def soft_targets(has, album, options):
    """Which classes the teacher finds alike."""
    temperature = options["temperature"]
    logits = has.logits["teacher"]
    matrix = explain.class_similarity(logits, has.y, temperature=temperature)
    entropy = explain.soft_target_entropy(logits, [1.0, temperature])
    picture = album.picture(
        soft_target_matrix(matrix, has.class_names, title=f"T = {temperature:g}, in %"),
        "",
        alt="Mean soft target of each class",
    )
    first, softened = entropy.mean_bits
    text = [
        "A row is what the teacher says of the examples of a class on the average. "
        "What is off the diagonal is what the labels do not say.",
        f"The mean entropy of its answers is {first:.2f} bits at temperature 1 and "
        f"{softened:.2f} bits at {temperature:g}; equal probabilities have "
        f"{np.log2(max(2, logits.shape[1])):.2f}.",
    ]
    return [*text, *_alike(matrix, has.class_names)], [
        picture,
        *_informative(has, album, temperature),
    ]


def _alike(matrix, class_names):
    off = np.nan_to_num(matrix.copy())
    np.fill_diagonal(off, 0)
    true, other = np.unravel_index(off.argmax(), off.shape)
    if not off[true, other]:
        return []
    return [
        f"Most alike: of {class_names[true]} it gives {off[true, other]:.1%} to "
        f"{class_names[other]}."
    ]


def _informative(has, album, temperature):
    if not has.of_images:
        return []
    logits = has.logits["teacher"]
    if logits.shape[1] < 2:
        return []
    places = explain.most_informative(
        logits, has.y, temperature=temperature, count=_SHOWN_IMAGES
    )
    names = []
    for place in places:
        order = np.argsort(-logits[place], kind="stable")
        second = next(one for one in order if one != has.y[place])
        names.append(f"{has.class_names[has.y[place]]}\nor {has.class_names[second]}")
    caption = "Test images on which it says most beyond the label."
    figure = map_grid(has.x[places], {}, names)
    return [album.picture(figure, caption, alt=caption)]


def calibration(has, album, options):
    """Confidence against accuracy."""
    found = {
        name: explain.reliability(has.logits[role], has.y, from_logits=True)
        for role, name in _NAMES.items()
        if role in has.logits
    }
    picture = album.picture(reliability_diagram(found), "", alt="Reliability diagram")
    said = ", ".join(f"{100 * one.ece:.1f} % ({name})" for name, one in found.items())
    text = [
        "On the dashed line a model is right as often as it is sure; below it, it is "
        f"too sure. Expected calibration error over 15 bins: {said}."
    ]
    if "teacher" in has.logits:
        order = np.nanmean(
            explain.rank_agreement(has.logits["teacher"], has.logits["student"])
        )
        text.append(
            f"The student orders the classes as the teacher does with a mean rank "
            f"correlation of {order:.2f}."
        )
    return text, [picture]


def maps(has, album, options):
    """Where the models look, beside each other."""
    places = of_each_class(has.y, _COMPARED_IMAGES)
    images, labels = has.x[places], has.y[places]
    found = {}
    for role in ("student", "scratch"):
        if role in has.models:
            found[role] = explain.maps(
                has.models["teacher"], has.models[role], images, seed=options["seed"]
            )
    maps = found["student"]
    grids = {"teacher": maps.teacher} | {
        _NAMES[role]: one.student for role, one in found.items()
    }
    shown = {role: one[:_SHOWN_IMAGES] for role, one in grids.items()}
    names = [has.class_names[label] for label in labels[:_SHOWN_IMAGES]]
    figure = map_grid(images[:_SHOWN_IMAGES], shown, names)
    picture = album.picture(figure, "", alt="Maps of where models look", is_wide=True)
    return _said_of_maps(found, len(images)), [picture]


def _said_of_maps(found, count):
    maps = found["student"]
    layers = " and ".join(
        f"{layer} of the {role}"
        for role, layer in (
            ("teacher", maps.teacher_layer),
            ("student", maps.student_layer),
        )
        if layer is not None
    )
    method = _METHODS.get(maps.method, maps.method)
    text = [
        f"{method}{f', at layer {layers}' if layers else ''}, of the class that the "
        "teacher chose. Bright is what counts."
    ]
    for role, one in found.items():
        agreement = explain.map_agreement(one)
        text.append(
            f"Over {count} images the maps of the teacher and the {_WHOM[role]} have a "
            f"rank correlation of {agreement.mean_rank_correlation:.2f}, and their "
            f"brightest fifths overlap by {agreement.mean_top_overlap:.0%} (by chance "
            f"about {agreement.mean_chance_overlap:.0%})."
        )
    return text + [note for note in dict.fromkeys([maps.note]) if note]
