"""What of a distiller can be set after it was made: numbers; all else raises."""

from keras_kd._checks import invalid

ANEW = "Make a new Distiller of the same models."
ATTACH = "Call distiller.attach_teacher(model), with teacher_preprocessing=... too."
NO_EFFECT = {
    "teacher": ATTACH,
    "teacher_preprocessing": ATTACH,
    "student": ANEW,
    "students": "Make a new MutualDistiller.",
    "objective": "Set alpha, distillation_loss_weights or a loss's temperature.",
    "distillation_losses": ANEW,
    "from_logits": ANEW,
    "head": ANEW,
    "heads": "Make a new MutualDistiller.",
    "activation": "Make a new MutualDistiller.",
    "peer_loss": "Make a new MutualDistiller.",
    "teacher_agreement": ANEW,
}


class NothingSetInVain:
    """The part of a distiller that refuses attributes nobody would read."""

    _is_made = False

    def __setattr__(self, name, value):
        """Raises for what was decided when the distiller was made."""
        if self._is_made and name in NO_EFFECT:
            raise invalid(
                type(self).__name__,
                f"`{name}` to stay, as it is not read after the distiller was made",
                type(value).__name__,
                NO_EFFECT[name],
            )
        super().__setattr__(name, value)

    def save_own_variables(self, store):
        """See `keras.layers.Layer`; numbers that were set during training, too."""
        super().save_own_variables(store)
        for key, number in self.numbers.items():
            number.save(store, key)

    def load_own_variables(self, store):
        """See `keras.layers.Layer`."""
        stored = {key: store[key] for key in store.keys()}  # noqa: SIM118 (no dict)
        for key, number in self.numbers.items():
            number.load(stored, key)
        super().load_own_variables(stored)


class SettableNumbers(NothingSetInVain):
    """The part of `Distiller` that sets the numbers of its objective."""

    _learns_unlabelled = False

    @property
    def alpha(self):
        """The weight of the hard labels: a number, which can be set; or a schedule."""
        return self.objective.alpha

    @alpha.setter
    def alpha(self, value):
        self.objective.alpha = value
        if self._learns_unlabelled and self.objective.needs_labels:
            # The step asks for labels while it is traced.
            self.make_train_function(force=True)

    @property
    def distillation_loss_weights(self):
        """The weights of the distillation losses, a list; each entry can be set."""
        return self.objective.weights

    @distillation_loss_weights.setter
    def distillation_loss_weights(self, values):
        self.objective.weights = values

    @property
    def temperature(self):
        """That of the distillation losses which have one; can be set if all agree."""
        return self._with_temperature()[0].temperature

    @temperature.setter
    def temperature(self, value):
        for loss in self._with_temperature():
            loss.temperature = value

    @property
    def numbers(self):
        """Dict of the `Number`s by the names under which they are saved."""
        return self.objective.numbers

    def _with_temperature(self):
        losses = [x for x in self.objective.losses if x.temperature is not None]
        if not losses or any(x.temperature != losses[0].temperature for x in losses):
            raise invalid(
                "Distiller.temperature",
                "distillation losses that have one temperature",
                ", ".join(f"{x.name}: {x.temperature}" for x in self.objective.losses),
                "Set that of a loss: distiller.distillation_losses[0].temperature = 2.",
            )
        return losses


class SettablePeers(NothingSetInVain):
    """The part of `MutualDistiller` that sets what its students learn of each other."""

    @property
    def weight(self):
        """That of the peers: a number, which can be set; or a schedule."""
        return self._weight.value

    @weight.setter
    def weight(self, value):
        self._weight.set(value)

    @property
    def numbers(self):
        """Dict of the `Number`s by the names under which they are saved."""
        return {"weight": self._weight}

    @property
    def temperature(self):
        """A number, which can be set; or a schedule."""
        loss = vars(self).get("peer_loss")
        has_none = loss is None or loss.temperature is None
        return self._first_temperature if has_none else loss.temperature

    @temperature.setter
    def temperature(self, value):
        if self.peer_loss.temperature is None:
            raise invalid(
                "MutualDistiller",
                f"no `temperature` for {self.peer_loss.name}, which is about values",
                repr(value),
                "Leave it as it is.",
            )
        self.peer_loss.temperature = value
