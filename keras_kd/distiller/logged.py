"""What a distiller logs of a step: the values that the batch could tell."""

from keras_kd._keras_internals import has_unbuilt_metrics, loss_tracker


class LogsWhatWasTold:
    """The part of `Distiller` that reads its metrics after a step."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The values to log: those that the batch could tell something about."""
        told = self.objective.told
        if y is None:
            told = [loss_tracker(self), *told]
            return {metric.name: metric.result() for metric in told}
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        for metric in self._trackers:
            if metric not in told:
                del logs[metric.name]
        return logs

    def get_metrics_result(self):
        """The logged values; without the user's metrics before they saw labels."""
        if not has_unbuilt_metrics(self):
            return super().get_metrics_result()
        told = [loss_tracker(self), *self._trackers]
        return {metric.name: metric.result() for metric in told}
