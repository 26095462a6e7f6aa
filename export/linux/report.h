/* The one line of JSON: schema 1 of export/README.md. */
#ifndef KERAS_KD_REPORT_H
#define KERAS_KD_REPORT_H

#include "golden.h"
#include "model.h"
#include "options.h"

enum { SCHEMA = 1 };

typedef struct {
    const Options *options;
    long long size_bytes; /* of the file */
    double load; /* before the run; below 0 if unknown */
    double init_ms;
    const double *sorted_ms; /* of the timed runs; NULL: not timed */
    long long peak_memory_bytes;
    const Operation *operations; /* NULL: not profiled */
    int operation_count;
    const Golden *golden; /* NULL: none */
    Agreement agreement;
} Report;

/* Fails if it cannot be written. */
void print_report(const Report *report);

#endif
