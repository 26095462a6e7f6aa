/* One clear line on standard error, and exit code 2. */
#ifndef KERAS_KD_FAILURE_H
#define KERAS_KD_FAILURE_H

#include <stddef.h>

/* From here on standard error carries our line only: LiteRT reports its progress there.
 * What LiteRT writes is kept, and a crash inside it becomes our line too. */
void take_standard_error(void);

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As `fail`, with the first error that LiteRT told. */
_Noreturn void fail_in_litert(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* `calloc` that fails instead of returning NULL. */
void *allocate(size_t count, size_t size);

#endif
