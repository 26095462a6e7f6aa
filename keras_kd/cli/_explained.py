"""What `keras-kd explain` finds, as numbers, pictures and lines."""

import dataclasses

import numpy as np

from keras_kd import explain, report
from keras_kd._checks import invalid
from keras_kd._files import write_json, written_whole
from keras_kd.export.manifest import versions
from keras_kd.outputs import check_inputs, find_head, logits_of
from keras_kd.report.looks import of_each_class
from keras_kd.report.models import outputs_of

_SHOWN_IMAGES = 6
_INFORMATIVE = 20


class Explained:
    """Looks at models on the test part of a data set.

    Args:
        models: dict of "teacher", "student" and perhaps "scratch" to Keras models.
        dataset: `DataSet`.
        temperature: float > 0, of the soft targets.
        seed: int, of the maps.

    Raises:
        ValueError: The data are of another shape, or have other classes.
    """

    def __init__(self, models, dataset, *, temperature, seed):
        self.models, self.dataset = models, dataset
        self.temperature, self.seed = temperature, seed
        self.x, self.y = dataset.test.arrays()
        self.logits = {role: self._logits(role, one) for role, one in models.items()}
        self.outcomes = explain.outcomes(
            self.y,
            self.logits["teacher"],
            self.logits["student"],
            self.logits.get("scratch"),
        )
        self.maps = {}

    def _logits(self, role, model):
        check_inputs("keras-kd explain", model, self.x)
        outputs = outputs_of(model, self.x)
        classes = max(2, outputs.shape[-1])
        if classes != self.dataset.num_classes:
            raise invalid(
                "keras-kd explain",
                f"a {role} of the data's {self.dataset.num_classes} classes",
                classes,
                "Choose the data that it was trained on.",
            )
        return np.asarray(logits_of(outputs, find_head(model)))

    def compare_maps(self, method, count):
        """Makes the maps of the teacher, and of each other model, on the same images.

        Args:
            method: str, see `explain.maps`.
            count: int, how many images, of every class in turn.
        """
        self.places = of_each_class(self.y, count)
        images = self.x[self.places]
        for role in self._learners():
            self.maps[role] = explain.maps(
                self.models["teacher"],
                self.models[role],
                images,
                method=method,
                seed=self.seed,
            )

    def write(self, folder):
        """Writes maps.png, the other pictures and explain.json.

        Args:
            folder: `Path`, which exists.
        """
        for name, figure in self._figures().items():
            with written_whole(folder / f"{name}.png") as (path,):
                figure.savefig(path, dpi=150, format="png")
        write_json(folder / "explain.json", _plain(self._numbers()))

    def _figures(self):
        names, chosen = self.dataset.class_names, self.places[:_SHOWN_IMAGES]
        maps = {"teacher": self.maps["student"].teacher}
        maps |= {role: self.maps[role].student for role in self._learners()}
        matrix = self._similarity()
        return {
            "maps": report.map_grid(
                self.x[chosen],
                {role: one[:_SHOWN_IMAGES] for role, one in maps.items()},
                [names[label] for label in self.y[chosen]],
            ),
            "soft_targets": report.soft_target_matrix(
                matrix, names, title=f"T = {self.temperature:g}"
            ),
            "outcomes": report.outcome_bars(self.outcomes, names),
            "reliability": report.reliability_diagram(self._reliability()),
        }

    def _learners(self):
        return [role for role in ("student", "scratch") if role in self.models]

    def _similarity(self):
        return explain.class_similarity(
            self.logits["teacher"], self.y, temperature=self.temperature
        )

    def _reliability(self):
        return {
            role: explain.reliability(logits, self.y, from_logits=True)
            for role, logits in self.logits.items()
        }

    def _numbers(self):
        return {
            "data": self.dataset.name,
            "class_names": self.dataset.class_names,
            "examples": len(self.y),
            "seed": self.seed,
            "maps": self._map_numbers(),
            "soft_targets": self._soft_target_numbers(),
            "outcomes": {
                "against": self.outcomes.against,
                **self._counts(),
                "by_class": self.outcomes.by_class,
            },
            "reliability": self._reliability(),
            "class_order_rank_correlation": self._order(),
            "versions": versions(),
        }

    def _map_numbers(self):
        maps, ids = self.maps["student"], self.dataset.test.ids()
        layers = {"teacher": maps.teacher_layer}
        layers |= {role: self.maps[role].student_layer for role in self._learners()}
        return {
            "method": maps.method,
            "layers": layers,
            "note": maps.note,
            "images": [ids[place] for place in self.places],
            "agreement_with_teacher": self._agreement(),
        }

    def _soft_target_numbers(self):
        teacher, ids = self.logits["teacher"], self.dataset.test.ids()
        temperatures = (1.0, self.temperature)
        bits = explain.soft_target_entropy(teacher, temperatures).mean_bits.tolist()
        informative = explain.most_informative(
            teacher, self.y, temperature=self.temperature, count=_INFORMATIVE
        )
        return {
            "temperature": self.temperature,
            "class_similarity": self._similarity(),
            "mean_entropy_bits": [
                {"temperature": temperature, "bits": one}
                for temperature, one in zip(temperatures, bits, strict=True)
            ],
            "most_informative": [ids[place] for place in informative],
        }

    def _counts(self):
        names = ("both_right", "both_wrong", "helped", "hurt")
        return dict(zip(names, self.outcomes.counts, strict=True))

    def _agreement(self):
        found = {}
        for role, maps in self.maps.items():
            agreement = explain.map_agreement(maps)
            found[role] = {
                "rank_correlation": agreement.mean_rank_correlation,
                "top_overlap": agreement.mean_top_overlap,
                "chance_overlap": agreement.mean_chance_overlap,
                "images_without": agreement.undefined,
                "by_class": agreement.by_class(self.y[self.places]),
            }
        return found

    def lines(self):
        """The most telling numbers: a list of `(name, value)`."""
        lines = []
        agreements = self._agreement()
        for role in self._learners():
            agreement = agreements[role]
            lines += [
                (
                    f"maps of teacher and {role}, rank correlation",
                    f"{agreement['rank_correlation']:.2f}",
                ),
                (
                    "overlap of their brightest fifths (by chance "
                    f"{agreement['chance_overlap']:.0%})",
                    f"{agreement['top_overlap']:.0%}",
                ),
            ]
        for role, one in self._reliability().items():
            lines.append((f"calibration error of the {role}", f"{one.ece:.1%}"))
        against, counts = self.outcomes.against, self._counts()
        return [
            *lines,
            ("rank correlation of the classes' order", f"{self._order():.2f}"),
            (f"examples with student right, {against} wrong", str(counts["helped"])),
            (f"examples with student wrong, {against} right", str(counts["hurt"])),
        ]

    def _order(self):
        agreement = explain.rank_agreement(
            self.logits["teacher"], self.logits["student"]
        )
        return float(np.nanmean(agreement))


def _plain(value):
    """A value as JSON holds it; None for what is not a number."""
    if dataclasses.is_dataclass(value):
        value = {
            one.name: getattr(value, one.name) for one in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
