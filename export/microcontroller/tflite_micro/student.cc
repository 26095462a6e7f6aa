#include "student.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) uint8_t arena[STUDENT_MODEL_ARENA_BYTES];
tflite::MicroInterpreter *interpreter = nullptr;

const char *checked_tensors(tflite::MicroInterpreter &made) {
  const TfLiteTensor *input = made.input(0);
  const TfLiteTensor *output = made.output(0);
  const size_t input_bytes =
      STUDENT_MODEL_INPUT_ELEMENTS * sizeof(STUDENT_MODEL_INPUT_TYPE);
  const size_t output_bytes =
      STUDENT_MODEL_OUTPUT_ELEMENTS * sizeof(STUDENT_MODEL_OUTPUT_TYPE);

  if (input->bytes != input_bytes || output->bytes != output_bytes) {
    return "student_model.h and student_model.c are not of one file";
  }
  return nullptr;
}

}  // namespace

const char *student_setup() {
  if (interpreter != nullptr) return nullptr;
  tflite::InitializeTarget();
  static tflite::MicroMutableOpResolver<STUDENT_MODEL_OPERATIONS> resolver;
  if (!student_model_add_operations(resolver)) {
    return "TensorFlow Lite Micro did not take an operation";
  }
  const tflite::Model *model = tflite::GetModel(student_model);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    return "the file is of another version of the schema";
  }
  static tflite::MicroInterpreter made(model, resolver, arena, sizeof(arena));
  if (made.AllocateTensors() != kTfLiteOk) {
    return "the arena is too small, or an operation refuses its tensors";
  }
  const char *problem = checked_tensors(made);
  if (problem == nullptr) interpreter = &made;
  return problem;
}

const char *student_run() {
  return interpreter->Invoke() == kTfLiteOk ? nullptr : "an operation failed";
}

STUDENT_MODEL_INPUT_TYPE *student_input() {
  return static_cast<STUDENT_MODEL_INPUT_TYPE *>(interpreter->input(0)->data.data);
}

const STUDENT_MODEL_OUTPUT_TYPE *student_output() {
  return static_cast<STUDENT_MODEL_OUTPUT_TYPE *>(interpreter->output(0)->data.data);
}

int student_class() {
  const STUDENT_MODEL_OUTPUT_TYPE *output = student_output();
  int best = 0;

  for (int number = 1; number < STUDENT_MODEL_OUTPUT_ELEMENTS; number++) {
    if (output[number] > output[best]) best = number;
  }
  return best;
}

unsigned long student_arena_used() {
  return static_cast<unsigned long>(interpreter->arena_used_bytes());
}

STUDENT_MODEL_INPUT_TYPE student_quantised(float value) {
#ifdef STUDENT_MODEL_INPUT_SCALE
  const float whole = roundf(value / STUDENT_MODEL_INPUT_SCALE) +
                      static_cast<float>(STUDENT_MODEL_INPUT_ZERO_POINT);
  const float most = sizeof(STUDENT_MODEL_INPUT_TYPE) == 1 ? 127.0f : 32767.0f;
  const float clipped = whole > most ? most : whole < -most - 1.0f ? -most - 1.0f : whole;

  return static_cast<STUDENT_MODEL_INPUT_TYPE>(clipped);
#else
  return static_cast<STUDENT_MODEL_INPUT_TYPE>(value);
#endif
}
