/* What the program runs on. */
#ifndef KERAS_KD_MACHINE_H
#define KERAS_KD_MACHINE_H

#include <stddef.h>

/* The board's or the processor's name, the number of cores, the operating system. */
void describe_machine(char *text, size_t size);

/* Of the first core's frequency, such as "performance"; "" if there is none. */
void read_governor(char *text, size_t size);

/* Of the last minute; below 0 if unknown. */
double read_load(void);

/* The most memory that this program had; 0 if unknown. */
long long peak_memory_bytes(void);

#endif
