"""The plain loop in PyTorch of `peers.py`: trains each time a line is read.

Needs torch and numpy, and nothing of this project: it is run by another Python.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def network(weights):
    """`keras_kd.students.convnet` of two blocks, with its weights in Keras's order."""
    weights = [torch.tensor(one) for one in weights]
    layers = []
    for block in range(2):
        for _ in range(2):
            kernel = weights.pop(0).permute(3, 2, 0, 1).contiguous()
            outputs, inputs = kernel.shape[:2]
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            convolution.weight.data = kernel
            # Keras's momentum of 0.9 keeps, PyTorch's of 0.1 takes.
            normalised = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.1)
            normalised.weight.data, normalised.bias.data = weights[0], weights[1]
            normalised.running_mean.data = weights[2]
            normalised.running_var.data = weights[3]
            del weights[:4]
            layers += [convolution, normalised, nn.ReLU()]
        if block == 0:
            layers.append(nn.MaxPool2d(2))
    kernel, bias = weights
    dense = nn.Linear(*kernel.shape)
    dense.weight.data, dense.bias.data = kernel.T.contiguous(), bias
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense)


def train(teacher, student, x, y, settings):
    """One pass over batches that are laid out in order; milliseconds a step."""
    optimizer = torch.optim.Adam(student.parameters(), settings["rate"], eps=1e-7)
    temperature, alpha = settings["temperature"], settings["alpha"]
    batch, first = settings["batch"], settings["steps"]
    student.train()
    for step, place in enumerate(range(0, len(y), batch)):
        if step == first:
            start = time.perf_counter()
        images, labels = x[place : place + batch], y[place : place + batch]
        with torch.no_grad():
            said = teacher(images)
        found = student(images)
        soft = functional.kl_div(
            functional.log_softmax(found / temperature, dim=1),
            functional.log_softmax(said / temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        hard = functional.cross_entropy(found, labels)
        loss = alpha * hard + (1 - alpha) * temperature**2 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return 1e3 * (time.perf_counter() - start) / (step + 1 - first)


def main():
    """Reads lines, trains, answers."""
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    data = np.load(folder / "data.npz")
    teacher = network([data[name] for name in sorted(data) if "teacher_" in name])
    teacher.eval()
    # PyTorch's images have their channels first.
    x = torch.tensor(data["x"]).permute(0, 3, 1, 2).contiguous()
    test = torch.tensor(data["test"]).permute(0, 3, 1, 2).contiguous()
    y = torch.tensor(data["y"].astype("int64"))
    print(torch.__version__, flush=True)
    for _ in sys.stdin:
        given = np.load(folder / "seed.npz")
        student = network([given[n] for n in sorted(given) if "student_" in n])
        rows = torch.tensor(given["rows"])
        spent = train(teacher, student, x[rows], y[rows], settings)
        student.eval()
        with torch.no_grad():
            np.save(folder / "logits.npy", student(test).numpy())
        print(json.dumps({"ms_per_step": spent}), flush=True)


if __name__ == "__main__":
    main()
