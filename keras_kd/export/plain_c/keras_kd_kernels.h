/* Operations of int8 networks in integers only, for microcontrollers. C99.

   Each gives, bit for bit, what the reference kernel of TensorFlow Lite Micro gives. An
   integer stands for the real number (integer - zero point) * scale; a rescaling by a
   real factor is a multiplication by `multiplier` / 2^31 * 2^`shift`. All arrays have
   the channels last. Written by keras_kd. */
#ifndef KERAS_KD_KERNELS_H_
#define KERAS_KD_KERNELS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t height, width, channels;
} kd_size;

/* The window that moves over an image, and the padding above and left of it. */
typedef struct {
  int32_t height, width;
  int32_t stride_y, stride_x;
  int32_t dilation_y, dilation_x;
  int32_t padding_y, padding_x;
} kd_window;

/* The zero point of the output, and its least and largest value. */
typedef struct {
  int32_t zero_point, least, most;
} kd_range;

typedef struct {
  kd_size input, output;
  kd_window window;
  int32_t input_zero_point;
  kd_range range;
  int32_t depth_multiplier; /* of a depthwise convolution */
  const int8_t *weights;    /* (output channel, y, x, input channel); depthwise
                               (y, x, output channel) */
  const int32_t *bias;      /* or a null pointer */
  const int32_t *multiplier; /* for each output channel */
  const int8_t *shift;
} kd_convolution;

/* A dense layer is a convolution of an image of one row with a window of 1x1. */
void kd_conv_2d(const kd_convolution *step, const int8_t *input, int8_t *output);
void kd_depthwise_conv_2d(const kd_convolution *step, const int8_t *input,
                          int8_t *output);

typedef struct {
  kd_size input, output;
  kd_window window;
  kd_range range;
} kd_pooling;

void kd_max_pool_2d(const kd_pooling *step, const int8_t *input, int8_t *output);
void kd_average_pool_2d(const kd_pooling *step, const int8_t *input, int8_t *output);

/* The mean over the middle of (outer, count, inner). The factor has 1 / count in it. */
typedef struct {
  int32_t outer, count, inner;
  int32_t input_zero_point;
  kd_range range;
  int32_t multiplier;
  int8_t shift;
} kd_average;

void kd_mean(const kd_average *step, const int8_t *input, int8_t *output);

/* Two arrays number by number. An axis along which one is repeated has stride 0. */
typedef struct {
  int32_t size[4];
  int32_t stride_1[4], stride_2[4];
  int32_t zero_point_1, zero_point_2;
  int32_t multiplier_1, multiplier_2, multiplier_output;
  int8_t shift_1, shift_2, shift_output;
  int8_t sign; /* of the second in a sum: 1 or -1 */
  kd_range range;
} kd_pair;

void kd_add(const kd_pair *step, const int8_t *input_1, const int8_t *input_2,
            int8_t *output);
void kd_multiply(const kd_pair *step, const int8_t *input_1, const int8_t *input_2,
                 int8_t *output);

/* A function of one number; `table[0]` is its value at -128. */
void kd_look_up(const int8_t *table, int32_t count, const int8_t *input,
                int8_t *output);

/* `exponential[d]` is exp(-d * scale * beta) * 2^31, and 0 where that is too small. */
void kd_softmax(const int32_t *exponential, int32_t rows, int32_t columns,
                const int8_t *input, int8_t *output);

/* `before` and `after` are how many are put at each end of an axis of `size`. */
typedef struct {
  int32_t size[4], before[4], after[4];
  int8_t value;
} kd_padding;

void kd_pad(const kd_padding *step, const int8_t *input, int8_t *output);

/* Each of `rows` rows of `count` numbers goes to the start of one of `stride`. */
void kd_copy_rows(int32_t rows, int32_t count, int32_t stride, const int8_t *input,
                  int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* KERAS_KD_KERNELS_H_ */
