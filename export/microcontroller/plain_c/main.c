/* Runs a network that keras_kd wrote as plain C, on golden inputs, and prints one line
   of JSON (see export/README.md). For a processor with semihosting, real or emulated,
   and for a PC.

   program [--golden FILE] [--outputs FILE] */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "student_network.h"

#define INPUT_BYTES STUDENT_NETWORK_INPUT_ELEMENTS
#define OUTPUT_BYTES STUDENT_NETWORK_OUTPUT_ELEMENTS

typedef struct {
  char magic[8];
  uint32_t examples, input_bytes, output_bytes, zero;
} golden_header;

typedef struct {
  uint32_t examples, same_class, max_difference;
} agreement;

static void fail(const char *what, const char *name)
{
  fprintf(stderr, "%s %s\n", what, name);
  exit(2);
}

static FILE *opened(const char *name, const char *mode)
{
  FILE *file = fopen(name, mode);

  if (file == NULL) fail("cannot open", name);
  return file;
}

static uint32_t checked_examples(FILE *golden, const char *name)
{
  golden_header header;

  if (fread(&header, sizeof(header), 1, golden) != 1 ||
      memcmp(header.magic, "KDGOLD01", sizeof(header.magic)) != 0 ||
      header.examples == 0) {
    fail("no golden inputs in", name);
  }
  if (header.input_bytes != INPUT_BYTES || header.output_bytes != OUTPUT_BYTES) {
    fail("golden inputs of another network in", name);
  }
  return header.examples;
}

/* The largest output; of one output, whether it is above the real number 0 or, for a
   probability, 1/2. */
static int class_of(const int8_t *output)
{
  const int is_probability = STUDENT_NETWORK_OUTPUT_ZERO_POINT == -128;
  int best = 0;

  if (OUTPUT_BYTES == 1) {
    return output[0] > (is_probability ? 0 : STUDENT_NETWORK_OUTPUT_ZERO_POINT);
  }
  for (int number = 1; number < OUTPUT_BYTES; number++) {
    if (output[number] > output[best]) best = number;
  }
  return best;
}

static void compare(agreement *found, const int8_t *expected)
{
  const int8_t *output = student_network_output();

  for (int number = 0; number < OUTPUT_BYTES; number++) {
    const uint32_t difference = (uint32_t)abs(output[number] - expected[number]);

    if (difference > found->max_difference) found->max_difference = difference;
  }
  found->same_class += class_of(output) == class_of(expected);
  found->examples++;
}

static agreement run_golden(const char *name, FILE *outputs)
{
  static int8_t expected[OUTPUT_BYTES];
  agreement found = {0, 0, 0};
  FILE *inputs = opened(name, "rb");
  FILE *answers = opened(name, "rb");
  const uint32_t examples = checked_examples(inputs, name);

  if (fseek(answers, (long)(sizeof(golden_header) + examples * INPUT_BYTES), SEEK_SET)) {
    fail("cannot read", name);
  }
  while (found.examples < examples) {
    if (fread(student_network_input(), INPUT_BYTES, 1, inputs) != 1 ||
        fread(expected, OUTPUT_BYTES, 1, answers) != 1) {
      fail("too few golden inputs in", name);
    }
    board_start();
    student_network_run();
    board_stop();
    compare(&found, expected);
    if (outputs != NULL &&
        fwrite(student_network_output(), OUTPUT_BYTES, 1, outputs) != 1) {
      fail("cannot write", "the outputs");
    }
  }
  fclose(inputs);
  fclose(answers);
  return found;
}

static void print_line(const char *golden, const agreement *found)
{
  const uint32_t runs = golden != NULL ? found->examples : 1;
  const uint64_t instructions = board_instructions() / runs;

  printf("{\"schema\": 1, \"machine\": \"%s\", \"runtime\": \"plain C by keras_kd\", "
         "\"accelerator\": \"CPU\", \"is_emulated\": %s, \"threads\": 1, "
         "\"arena_bytes\": %d",
         board_machine, board_is_emulated ? "true" : "false",
         STUDENT_NETWORK_ARENA_BYTES);
  if (instructions != 0) {
    /* In millions and the rest: a small C library prints no 64 bits. */
    const unsigned long millions = (unsigned long)(instructions / 1000000);
    const unsigned long rest = (unsigned long)(instructions % 1000000);

    if (millions != 0) printf(", \"instructions\": %lu%06lu", millions, rest);
    if (millions == 0) printf(", \"instructions\": %lu", rest);
  }
  if (golden != NULL) {
    printf(", \"golden\": {\"examples\": %lu, \"same_class\": %lu, "
           "\"max_difference\": %lu}",
           (unsigned long)found->examples, (unsigned long)found->same_class,
           (unsigned long)found->max_difference);
  }
  puts("}");
}

int main(int count, char **arguments)
{
  const char *golden = NULL;
  FILE *outputs = NULL;
  agreement found = {0, 0, 0};

  for (int number = 1; number < count; number += 2) {
    const char *value = number + 1 < count ? arguments[number + 1] : NULL;

    if (value != NULL && strcmp(arguments[number], "--golden") == 0) {
      golden = value;
    } else if (value != NULL && strcmp(arguments[number], "--outputs") == 0) {
      outputs = opened(value, "wb");
    } else {
      fail("expected --golden FILE or --outputs FILE, got", arguments[number]);
    }
  }
  if (golden != NULL) {
    found = run_golden(golden, outputs);
  } else {
    memset(student_network_input(), 0, INPUT_BYTES);
    board_start();
    student_network_run();
    board_stop();
  }
  if (outputs != NULL && fclose(outputs) != 0) fail("cannot write", "the outputs");
  print_line(golden, &found);
  return 0;
}
