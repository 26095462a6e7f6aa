/* The command line. */
#ifndef KERAS_KD_OPTIONS_H
#define KERAS_KD_OPTIONS_H

#include <stdbool.h>

typedef struct {
    const char *file;
    const char *golden;  /* NULL: none */
    const char *outputs; /* NULL: none */
    int threads;
    int runs;
    int warmup;
    bool profile;
    bool emulated;
} Options;

/* Fails on what it does not know. */
Options read_options(int count, char **words);

#endif
