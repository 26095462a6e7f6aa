"""Where a student is right and its teacher wrong, and the reverse, class by class."""

from dataclasses import dataclass

_COLUMNS = ("class", "examples", "teacher", "student", "helped", "hurt", "both wrong")


@dataclass(frozen=True)
class ClassRow:
    """How teacher and student do on the examples of one class.

    Attributes:
        name: str, the class.
        both_right: int, examples that both decide right.
        helped: int, those that the student decides right and the teacher wrong.
        hurt: int, those that the teacher decides right and the student wrong.
        both_wrong: int, those that both decide wrong.

    Example:
        >>> row = ClassRow("cat", both_right=6, helped=1, hurt=2, both_wrong=1)
        >>> row.examples, row.teacher_accuracy, row.student_accuracy
        (10, 0.8, 0.7)
    """

    name: str
    both_right: int
    helped: int
    hurt: int
    both_wrong: int

    @property
    def examples(self):
        """All of them, an int."""
        return self.both_right + self.helped + self.hurt + self.both_wrong

    @property
    def teacher_accuracy(self):
        """In [0, 1]; NaN for a class without examples."""
        return self._fraction(self.both_right + self.hurt)

    @property
    def student_accuracy(self):
        """In [0, 1]; NaN for a class without examples."""
        return self._fraction(self.both_right + self.helped)

    def _fraction(self, right):
        return right / self.examples if self.examples else float("nan")


@dataclass(frozen=True)
class ClassTable:
    """A `ClassRow` for each class; `str` shows them as a table.

    Attributes:
        rows: tuple of `ClassRow`, in the order of the class numbers.

    Example:
        >>> rows = ClassRow("cat", 6, 1, 2, 1), ClassRow("dog", 5, 0, 0, 0)
        >>> print(ClassTable(rows))
        class  examples  teacher  student  helped  hurt  both wrong
        cat          10    0.800    0.700       1     2           1
        dog           5    1.000    1.000       0     0           0
        all          15    0.867    0.800       1     2           1
    """

    rows: tuple

    @property
    def total(self):
        """The `ClassRow` of all classes together, named "all"."""
        counts = ("both_right", "helped", "hurt", "both_wrong")
        return ClassRow(
            "all", *(sum(getattr(row, count) for row in self.rows) for count in counts)
        )

    def __str__(self):
        rows = [_COLUMNS, *map(_cells, (*self.rows, self.total))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(_line(cells, widths) for cells in rows)


def _line(cells, widths):
    numbers = map(str.rjust, cells[1:], widths[1:])
    return "  ".join([cells[0].ljust(widths[0]), *numbers])


def _cells(row):
    return (
        row.name,
        str(row.examples),
        f"{row.teacher_accuracy:.3f}",
        f"{row.student_accuracy:.3f}",
        str(row.helped),
        str(row.hurt),
        str(row.both_wrong),
    )
