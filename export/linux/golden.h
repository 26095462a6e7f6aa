/* Golden inputs, and the answers to compare with: keras_kd.benchmark.write_golden. */
#ifndef KERAS_KD_GOLDEN_H
#define KERAS_KD_GOLDEN_H

#include <stddef.h>

#include "model.h"

typedef struct {
    size_t count;
    size_t input_bytes;
    size_t output_bytes;
    unsigned char *content; /* the whole file */
    const unsigned char *inputs;
    const unsigned char *outputs;
} Golden;

typedef struct {
    size_t same_class;
    double max_difference; /* in stored units */
} Agreement;

/* Fails unless the file is whole and fits the model's tensors. */
Golden read_golden(const char *path, const Model *model);

/* The model's outputs for all golden inputs, one after the other; the caller frees them. */
unsigned char *run_golden(const Golden *golden, Model *model);

Agreement compare_with_golden(const Golden *golden, const Tensor *output,
                              const unsigned char *outputs);

/* Leaves no half of a file. */
void write_outputs(const char *path, const unsigned char *outputs, size_t size);

#endif
