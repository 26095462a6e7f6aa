/* A .tflite file in LiteRT: one input, one output, one example at a time. */
#ifndef KERAS_KD_MODEL_H
#define KERAS_KD_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "litert.h"

typedef struct {
    void *memory;
    size_t size_bytes;
    size_t count; /* of values */
    LiteRtElementType type;
    float scale; /* 0: not quantised; else real = (stored - zero_point) * scale */
    int64_t zero_point;
    LiteRtTensorBuffer buffer;
} Tensor;

typedef struct {
    LiteRtModel model;
    LiteRtCompiledModel compiled;
    Tensor input;
    Tensor output;
} Model;

typedef struct {
    char name[128];
    double ms;
} Operation;

/* What models share; LiteRtDestroyEnvironment ends it. */
LiteRtEnvironment open_environment(void);

/* Fails unless LiteRT can run the file. */
Model open_model(LiteRtEnvironment environment, const char *path, int threads,
                 bool profiled);
void run_model(Model *model);
void close_model(Model *model);

/* The k-th number as it lies in memory that holds such a tensor. */
double stored_value(const Tensor *tensor, const void *memory, size_t k);

/* The mean time of each operation in `runs` runs, in order; sets `count`. The caller frees
 * it. The model was opened with `profiled`. */
Operation *profile_model(Model *model, int runs, int *count);

#endif
