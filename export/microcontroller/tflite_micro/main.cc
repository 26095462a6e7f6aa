/* Runs a student again and again, on an input of your own. In an Arduino sketch, what is
   before the loop goes into setup(), and what is in it into loop(). */
#include "student.h"
#include "tensorflow/lite/micro/micro_log.h"

/* Replace it: camera, microphone, sensor. `number` counts up to
   STUDENT_MODEL_INPUT_ELEMENTS; channels last, and normalised as student.json says. */
static float sensor(int number) {
  (void)number;
  return 0.0f;
}

int main() {
  const char *problem = student_setup();

  if (problem == nullptr) {
    MicroPrintf("%d bytes of the arena taken", static_cast<int>(student_arena_used()));
  }
  while (problem == nullptr) {
    for (int number = 0; number < STUDENT_MODEL_INPUT_ELEMENTS; number++) {
      student_input()[number] = student_quantised(sensor(number));
    }
    problem = student_run();
    if (problem == nullptr) MicroPrintf("class %d", student_class());
  }
  MicroPrintf("stopped: %s", problem);
  return 1;
}
