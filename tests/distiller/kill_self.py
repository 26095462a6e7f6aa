"""A callback of programs that are to be killed in the middle of their work."""

import os
import signal

import keras


class KillSelf(keras.callbacks.Callback):
    """SIGKILL after so many batches of this process."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
