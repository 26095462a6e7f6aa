/* A student in TensorFlow Lite Micro: set up once, then fill in, run, read. */
#ifndef STUDENT_H_
#define STUDENT_H_

#include "student_model.h"

/* Returns a null pointer, or in words what went wrong. */
const char *student_setup();
const char *student_run();

/* STUDENT_MODEL_INPUT_ELEMENTS numbers, to be filled in before each run, and
   STUDENT_MODEL_OUTPUT_ELEMENTS, to be read after it. */
STUDENT_MODEL_INPUT_TYPE *student_input();
const STUDENT_MODEL_OUTPUT_TYPE *student_output();

/* The number of the largest output. */
int student_class();

/* What was taken of the STUDENT_MODEL_ARENA_BYTES. */
unsigned long student_arena_used();

/* A real number as the input's type holds it. */
STUDENT_MODEL_INPUT_TYPE student_quantised(float value);

#endif  /* STUDENT_H_ */
