"""What is read from benchmark_model's output; the samples follow the tools' sources."""

import pytest

from keras_kd.benchmark._android_output import (
    complaint,
    read_flags,
    read_operations,
    read_peak_bytes,
    read_timing,
    runs_on_cpu,
)

INTERPRETER = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Loaded model /data/local/tmp/m.tflite
INFO: Initialized session in 0.855ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but \
terminate if exceeding 150 seconds.
INFO: count=14 first=49060 curr=33811 min=33002 max=49060 avg=34825.1 std=4127 \
p5=33002 median=33700 p95=49060

INFO: Running benchmark for at least 50 iterations and at least 1 seconds
INFO: count=50 first=32891 curr=33978 min=32641 max=34005 avg=33209.4 std=450 \
p5=32700 median=33150 p95=33990

INFO: Inference timings in us: Init: 855, First inference: 49060, \
Warmup (avg): 34825.1, Inference (avg): 33209.4
INFO: Memory footprint delta from the start of the tool (MB): init=2.5 overall=12.8672
INFO: Overall peak memory footprint (MB) via periodic monitoring: 20.5
"""
RESULTS = """\
INFO:
========== BENCHMARK RESULTS ==========
INFO: Model initialization: 5.49 ms
INFO: Warmup (first):       0.64 ms
INFO: Warmup (avg):         0.44 ms (5 runs)
INFO: Inference (avg):      0.36 ms (50 runs)
INFO: Inference (min):      0.35 ms
INFO: Inference (max):      0.42 ms
INFO: Inference (std):      0.02
INFO: Throughput:           289.14 MB/s
INFO:
Memory Usage:
INFO: Init footprint:       1.00 MB
INFO: Overall footprint:    3.00 MB
INFO: Peak memory:          7.25 MB
INFO: ======================================
"""
COMPILED = (
    """\
INFO: count=5 first=640 curr=430 min=390 max=640 avg=440 std=9 p5=390 median=430 p95=640
INFO: count=50 first=371 curr=355 min=350 max=423 avg=361.5 std=17 p5=350 \
median=358 p95=401
"""
    + RESULTS
)
PROFILE = """\
Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
\t [node type]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]
\t AllocateTensors\t 0.04\t 0.020\t 100%\t 100%\t 0.0\t 2\tAllocateTensors/0

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t [node type]\t [start]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\
\t[times called]\t[Name]
\t CONV_2D\t 0.000\t 4.269\t 4.1\t 0.107%\t 0.107%\t 0.000\t 1\t[a/Relu6]:0
\t DEPTHWISE_CONV_2D\t 4.27\t 2.15\t 2.150\t 0.05%\t 0.16%\t 0.000\t 1\t[b]:1
\t CONV_2D\t 6.421\t 6.107\t 6.107\t 0.153%\t 0.314%\t 0.000\t 1\t[c/Relu6]:2

============================== Top by Computation Time ==============================
\t [node type]\t [start]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\
\t[times called]\t[Name]
\t CONV_2D\t 6.421\t 6.107\t 6.107\t 0.153%\t 0.314%\t 0.000\t 1\t[c/Relu6]:2

Number of nodes executed: 3
Timings (microseconds): count=50 first=79449 curr=81350 min=77385 max=88213 avg=79732
"""
DELEGATE = """\
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t [node type]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]
\t TfLiteXNNPackDelegate\t 0.9\t 0.9\t 90%\t 90%\t 0.000\t 1\t[y]:9
\t SOFTMAX\t 0.1\t 0.1\t 10%\t 100%\t 0.000\t 1\t[y]:10

Delegate internal:
============================== Run Order ==============================
\t [node type]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]
\t Convolution (NHWC, F32)\t 0.8\t 0.7\t 90%\t 90%\t 0.000\t 1\tDelegate/conv:0
"""


def test_interpreters_tool_gives_median_and_the_timed_runs_not_the_warm_up():
    timing = read_timing(INTERPRETER)
    assert (timing.runs, timing.warmup) == (50, 14)
    assert timing.init_ms == pytest.approx(0.855)
    assert timing.min_ms == pytest.approx(32.641)
    assert timing.p50_ms == pytest.approx(33.150)
    assert timing.p95_ms == pytest.approx(33.990)
    assert timing.average_ms == pytest.approx(33.2094)


def test_compiled_models_tool_gives_microseconds_though_its_results_round():
    timing = read_timing(COMPILED)
    assert (timing.runs, timing.warmup) == (50, 5)
    assert timing.init_ms == pytest.approx(5.49)
    assert (timing.min_ms, timing.p50_ms, timing.p95_ms) == (0.350, 0.358, 0.401)


def test_compiled_models_results_alone_will_do():
    timing = read_timing(RESULTS)
    assert (timing.runs, timing.warmup) == (50, 5)
    assert (timing.min_ms, timing.average_ms) == (0.35, 0.36)
    assert timing.p50_ms is None
    more = read_timing("Inference (avg): 0.4 ms (9 runs)\nInference (median): 0.3 ms\n")
    assert (more.runs, more.p50_ms) == (9, pytest.approx(0.3))


def test_runs_that_all_took_the_same_time_have_a_minimum():
    timing = read_timing(
        "count=20 first=21 curr=20 min=20 max=21 avg=20 std=0 p5=20 median=20 p95=21\n"
        "count=200 curr=20(all same) p5=20 median=20 p95=20\n"
        "Inference timings in us: Init: 90, First inference: 21, Warmup (avg): 20, "
        "Inference (avg): 20\n"
    )
    assert (timing.runs, timing.warmup) == (200, 20)
    assert (timing.min_ms, timing.p50_ms, timing.p95_ms) == (0.02, 0.02, 0.02)


def test_no_warm_up_counts_none():
    timing = read_timing(
        "count=0 p5=0 median=0 p95=0\ncount=1 curr=300 p5=300 median=300 p95=300\n"
    )
    assert (timing.runs, timing.warmup, timing.p50_ms) == (1, 0, 0.3)


def test_older_tools_without_percentiles_give_an_average():
    timing = read_timing(
        "count=50 first=301 curr=300 min=298 max=340 avg=305.2 std=9\n"
    )
    assert timing.p50_ms is None
    assert timing.average_ms == pytest.approx(0.3052)
    only = read_timing(
        "Inference timings in us: Init: 855, First inference: 49060, "
        "Warmup (avg): 34825.1, Inference (avg): 1.5e+04"
    )
    assert (only.average_ms, only.init_ms) == (pytest.approx(15.0), 0.855)


@pytest.mark.parametrize("text", ["", "STARTING!\n", "count=0 p5=0 median=0 p95=0\n"])
def test_output_without_times_gives_none(text):
    assert read_timing(text) is None


def test_peak_memory_is_read_from_both_forms():
    assert read_peak_bytes(INTERPRETER) == round(20.5 * 2**20)
    assert read_peak_bytes(COMPILED) == round(7.25 * 2**20)
    assert (
        read_peak_bytes("Peak memory usage not available. (peak_mem_mb <= 0)") is None
    )


def test_profile_is_that_of_the_timed_runs_in_order():
    assert [(one.name, one.ms) for one in read_operations(PROFILE)] == [
        ("CONV_2D", 4.1),
        ("DEPTHWISE_CONV_2D", 2.15),
        ("CONV_2D", 6.107),
    ]


def test_profile_shows_what_a_delegate_does_instead_of_the_delegate():
    names = [one.name for one in read_operations(DELEGATE)]
    assert names == ["SOFTMAX", "Convolution (NHWC, F32)"]
    assert read_operations("no profile") == ()


def test_complaint_is_the_last_error_and_not_that_there_was_one():
    text = "INFO: Loaded\nERROR: Failed to load model\nERROR: Benchmarking failed.\n"
    assert complaint(text) == "Failed to load model"
    assert complaint("Segmentation fault \n\n") == "Segmentation fault"
    assert complaint("") == "it printed nothing"


def test_partial_delegation_is_seen():
    words = "Explicitly applied GPU delegate, and the model graph will be "
    assert runs_on_cpu(words + "partially executed by the delegate w/ 2 kernels.")
    assert runs_on_cpu(
        "Though GPU delegate is explicitly applied, the model graph will not be "
        "executed by the delegate."
    )
    assert not runs_on_cpu(words + "completely executed by the delegate.")


def test_flags_are_those_of_the_usage():
    text = "usage: x <flags>\nFlags:\n\t--graph=\tstring\n\t--use_gpu=false   \tbool\n"
    assert read_flags(text) == {"graph", "use_gpu"}
    assert read_flags("sh: --graph: not found") == set()
