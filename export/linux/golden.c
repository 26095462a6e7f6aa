#include "golden.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"

enum { HEADER_BYTES = 24 };

static unsigned char *read_whole(const char *path, size_t *size)
{
    struct stat status;
    FILE *file = fopen(path, "rb");

    if (!file || fstat(fileno(file), &status)) {
        fail("cannot read %s: %s", path, strerror(errno));
    }
    *size = (size_t)status.st_size;
    unsigned char *content = allocate(*size, 1);
    if (fread(content, 1, *size, file) != *size) {
        fail("cannot read all of %s", path);
    }
    fclose(file);
    return content;
}

static size_t number_at(const unsigned char *bytes)
{
    return bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
           (size_t)bytes[3] << 24;
}

Golden read_golden(const char *path, const Model *model)
{
    Golden golden = {0};
    size_t size;

    golden.content = read_whole(path, &size);
    if (size < HEADER_BYTES || memcmp(golden.content, "KDGOLD01", 8) != 0) {
        fail("%s is not a golden file of keras_kd", path);
    }
    golden.count = number_at(golden.content + 8);
    golden.input_bytes = number_at(golden.content + 12);
    golden.output_bytes = number_at(golden.content + 16);
    if (golden.input_bytes != model->input.size_bytes ||
        golden.output_bytes != model->output.size_bytes) {
        fail("%s is for an input of %zu bytes and an output of %zu, the .tflite file "
             "has %zu and %zu; write the golden file from it",
             path, golden.input_bytes, golden.output_bytes, model->input.size_bytes,
             model->output.size_bytes);
    }
    unsigned long long expected = golden.input_bytes + golden.output_bytes;
    expected = HEADER_BYTES + golden.count * expected;
    if (!golden.count || size != expected) {
        fail("%s is damaged: expected %llu bytes for %zu examples, got %zu", path,
             expected, golden.count, size);
    }
    golden.inputs = golden.content + HEADER_BYTES;
    golden.outputs = golden.inputs + golden.count * golden.input_bytes;
    return golden;
}

unsigned char *run_golden(const Golden *golden, Model *model)
{
    unsigned char *outputs = allocate(golden->count, golden->output_bytes);

    for (size_t k = 0; k < golden->count; k++) {
        memcpy(model->input.memory, golden->inputs + k * golden->input_bytes,
               golden->input_bytes);
        run_model(model);
        memcpy(outputs + k * golden->output_bytes, model->output.memory,
               golden->output_bytes);
    }
    return outputs;
}

/* The files' values lie at any address. */
static void load(double *values, const Tensor *output, const unsigned char *bytes)
{
    memcpy(output->memory, bytes, output->size_bytes);
    for (size_t k = 0; k < output->count; k++) {
        values[k] = stored_value(output, output->memory, k);
    }
}

static double real_value(const Tensor *output, double stored)
{
    return output->scale > 0 ? (stored - (double)output->zero_point) * output->scale
                             : stored;
}

/* What one output must exceed to mean yes: half if all golden ones are probabilities,
 * else 0, as for logits. */
static double threshold_of(const Golden *golden, const Tensor *output)
{
    double stored;

    for (size_t k = 0; k < golden->count; k++) {
        load(&stored, output, golden->outputs + k * golden->output_bytes);
        double value = real_value(output, stored);
        if (value < 0 || value > 1) {
            return 0;
        }
    }
    return 0.5;
}

static size_t class_of(const Tensor *output, const double *values, double threshold)
{
    size_t best = 0;

    if (output->count == 1) {
        return real_value(output, values[0]) > threshold;
    }
    for (size_t k = 1; k < output->count; k++) {
        if (values[k] > values[best]) {
            best = k;
        }
    }
    return best;
}

Agreement compare_with_golden(const Golden *golden, const Tensor *output,
                              const unsigned char *outputs)
{
    Agreement agreement = {0};
    double *expected = allocate(output->count, sizeof *expected);
    double *got = allocate(output->count, sizeof *got);
    double threshold = output->count == 1 ? threshold_of(golden, output) : 0;

    for (size_t k = 0; k < golden->count; k++) {
        load(expected, output, golden->outputs + k * golden->output_bytes);
        load(got, output, outputs + k * golden->output_bytes);
        agreement.same_class += class_of(output, expected, threshold) ==
                                class_of(output, got, threshold);
        for (size_t i = 0; i < output->count; i++) {
            double difference = fabs(expected[i] - got[i]);
            /* Written so that a difference that is not a number stays. */
            if (!(difference <= agreement.max_difference)) {
                agreement.max_difference = difference;
            }
        }
    }
    free(expected);
    free(got);
    return agreement;
}

void write_outputs(const char *path, const unsigned char *outputs, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (!file) {
        fail("cannot write %s: %s", path, strerror(errno));
    }
    bool whole = fwrite(outputs, 1, size, file) == size;
    if (fclose(file) || !whole) {
        remove(path);
        fail("cannot write all of %s: %s", path, strerror(errno));
    }
}
