"""Results to look at: figures, and one page that tells the story of a run."""

from keras_kd.report.calibration import reliability_diagram
from keras_kd.report.classes import confusion, soft_target_matrix
from keras_kd.report.curves import learning_curves
from keras_kd.report.helped import outcome_bars
from keras_kd.report.looks import map_grid
from keras_kd.report.run import ResultRow, Run, read_run
from keras_kd.report.tradeoffs import accuracy_by_latency, accuracy_by_size
from keras_kd.report.write import write_report

__all__ = [
    "ResultRow",
    "Run",
    "accuracy_by_latency",
    "accuracy_by_size",
    "confusion",
    "learning_curves",
    "map_grid",
    "outcome_bars",
    "read_run",
    "reliability_diagram",
    "soft_target_matrix",
    "write_report",
]
