"""What a distiller logs of a step: the values that the batch could tell."""


class LogsWhatWasTold:
    """The part of `Distiller` that reads its metrics after a step."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The values to log: those that the batch could tell something about."""
        told = self.objective.told
        if y is None:
            told = [self._loss_tracker, *told]
            return {metric.name: metric.result() for metric in told}
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        for metric in self._trackers:
            if metric not in told:
                del logs[metric.name]
        return logs

    def get_metrics_result(self):
        """The logged values; without the user's metrics before they saw labels."""
        if self._compile_metrics is None or self._compile_metrics.built:
            return super().get_metrics_result()
        told = [self._loss_tracker, *self._trackers]
        return {metric.name: metric.result() for metric in told}
