/* Runs a student, times it, checks it against golden inputs; prints one line of JSON.
 * The contract is in export/README.md. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "golden.h"
#include "machine.h"
#include "model.h"
#include "options.h"
#include "report.h"
#include "statistics.h"

/* LiteRT's profile is in whole microseconds, so that few runs say little. */
enum { LEAST_PROFILED_RUNS = 50 };

static long long file_size(const char *path)
{
    struct stat status;

    if (stat(path, &status)) {
        fail("cannot read %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        fail("%s is not a file", path);
    }
    return status.st_size;
}

/* Numbers in [0, 1), the same each time; 0 for integers, which may be indices. */
static void fill_input(const Tensor *input)
{
    uint32_t state = 1;

    memset(input->memory, 0, input->size_bytes);
    if (input->type != kLiteRtElementTypeFloat32) {
        return;
    }
    for (size_t k = 0; k < input->count; k++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        ((float *)input->memory)[k] = (float)(state >> 8) / (float)(1 << 24);
    }
}

static void check_golden(Report *report, Golden *golden, Model *model)
{
    const Options *options = report->options;

    *golden = read_golden(options->golden, model);
    unsigned char *outputs = run_golden(golden, model);
    report->golden = golden;
    report->agreement = compare_with_golden(golden, &model->output, outputs);
    if (options->outputs) {
        write_outputs(options->outputs, outputs, golden->count * golden->output_bytes);
    }
    free(outputs);
    /* The times are those of a real example. */
    memcpy(model->input.memory, golden->inputs, golden->input_bytes);
}

/* Sorted; the caller frees them. */
static double *time_runs(Model *model, const Options *options)
{
    double *times = allocate((size_t)options->runs, sizeof *times);

    for (int k = 0; k < options->warmup; k++) {
        run_model(model);
    }
    for (int k = 0; k < options->runs; k++) {
        double start = now_ms();
        run_model(model);
        times[k] = now_ms() - start;
    }
    sort_numbers(times, options->runs);
    return times;
}

static Operation *profile_file(LiteRtEnvironment environment, const Model *timed,
                               const Options *options, int *count)
{
    int runs = options->runs > LEAST_PROFILED_RUNS ? options->runs : LEAST_PROFILED_RUNS;
    Model model = open_model(environment, options->file, options->threads, true);

    memcpy(model.input.memory, timed->input.memory, timed->input.size_bytes);
    Operation *operations = profile_model(&model, runs, count);
    close_model(&model);
    return operations;
}

int main(int count, char **words)
{
    Options options = read_options(count, words);
    Report report = {.options = &options,
                     .size_bytes = file_size(options.file),
                     .load = read_load()};
    Golden golden = {0};
    double *times = NULL;
    Operation *operations = NULL;

    take_standard_error();
    LiteRtEnvironment environment = open_environment();
    double start = now_ms();
    Model model = open_model(environment, options.file, options.threads, false);
    report.init_ms = now_ms() - start;
    fill_input(&model.input);
    if (options.golden) {
        check_golden(&report, &golden, &model);
    }
    if (!options.emulated) {
        report.sorted_ms = times = time_runs(&model, &options);
        report.peak_memory_bytes = peak_memory_bytes();
    }
    if (options.profile && !options.emulated) {
        /* With a model of its own: a profiler slows what it watches. */
        operations = profile_file(environment, &model, &options, &report.operation_count);
        report.operations = operations;
    }
    print_report(&report);
    close_model(&model);
    LiteRtDestroyEnvironment(environment);
    free(golden.content);
    free(operations);
    free(times);
    return 0;
}
