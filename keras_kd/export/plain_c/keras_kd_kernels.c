/* See keras_kd_kernels.h. Written by keras_kd.

   A right shift of a negative number must keep its sign; C leaves that to the compiler,
   and the usual ones do. */
#include "keras_kd_kernels.h"

#include <stddef.h>
#include <string.h>

static int32_t least_of(int32_t a, int32_t b) { return a < b ? a : b; }

static int32_t most_of(int32_t a, int32_t b) { return a > b ? a : b; }

static int8_t clipped(int32_t value, const kd_range *range)
{
  return (int8_t)most_of(range->least, least_of(value, range->most));
}

/* a * b / 2^31, rounded to the nearest; of two, the one of larger value. */
static int32_t high_product(int32_t a, int32_t b)
{
  const int64_t product = (int64_t)a * b;
  const int64_t half = product >= 0 ? (1 << 30) : 1 - (1 << 30);

  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return (int32_t)((product + half) / ((int64_t)1 << 31));
}

/* value / 2^bits, rounded to the nearest; of two, the one farther from 0. */
static int32_t halved(int32_t value, int32_t bits)
{
  const int32_t mask = (int32_t)(((int64_t)1 << bits) - 1);
  const int32_t threshold = (mask >> 1) + (value < 0);

  return (value >> bits) + ((value & mask) > threshold);
}

/* value * 2^bits, at most what an int32_t holds. */
static int32_t doubled(int32_t value, int32_t bits)
{
  const int64_t result = (int64_t)value * ((int64_t)1 << bits);

  if (result > INT32_MAX) return INT32_MAX;
  if (result < INT32_MIN) return INT32_MIN;
  return (int32_t)result;
}

static int32_t rescaled(int32_t value, int32_t multiplier, int32_t shift)
{
  if (shift > 0) {
    return high_product((int32_t)((uint32_t)value << shift), multiplier);
  }
  return halved(high_product(value, multiplier), -shift);
}

/* Where the window meets the image along an axis: its steps `*first` to `*end` - 1. */
static void meet(int32_t start, int32_t size, int32_t dilation, int32_t steps,
                 int32_t *first, int32_t *end)
{
  *first = start >= 0 ? 0 : (dilation - 1 - start) / dilation;
  *end = start >= size ? 0 : least_of(steps, (size - start + dilation - 1) / dilation);
}

typedef struct {
  int32_t y, x;             /* in the image, of the window's first step */
  int32_t first_y, end_y, first_x, end_x;
} place;

static place place_of(const kd_window *window, const kd_size *input, int32_t row,
                      int32_t column)
{
  place at;

  at.y = row * window->stride_y - window->padding_y;
  at.x = column * window->stride_x - window->padding_x;
  meet(at.y, input->height, window->dilation_y, window->height, &at.first_y, &at.end_y);
  meet(at.x, input->width, window->dilation_x, window->width, &at.first_x, &at.end_x);
  return at;
}

static const int8_t *pixel(const kd_size *size, const kd_window *window,
                           const place *at, int32_t y, int32_t x, const int8_t *image)
{
  const int32_t row = at->y + y * window->dilation_y;
  const int32_t column = at->x + x * window->dilation_x;

  return image + (row * size->width + column) * size->channels;
}

static int8_t convolved(const kd_convolution *step, int32_t sum, int32_t channel)
{
  if (step->bias != NULL) sum += step->bias[channel];
  sum = rescaled(sum, step->multiplier[channel], step->shift[channel]);
  return clipped(sum + step->range.zero_point, &step->range);
}

static int32_t window_sum(const kd_convolution *step, const place *at,
                          const int8_t *weights, const int8_t *input)
{
  const kd_window *window = &step->window;
  const int32_t channels = step->input.channels;
  int32_t sum = 0;

  for (int32_t y = at->first_y; y < at->end_y; y++) {
    for (int32_t x = at->first_x; x < at->end_x; x++) {
      const int8_t *from = pixel(&step->input, window, at, y, x, input);
      const int8_t *weight = weights + (y * window->width + x) * channels;

      for (int32_t channel = 0; channel < channels; channel++) {
        sum += weight[channel] * (from[channel] - step->input_zero_point);
      }
    }
  }
  return sum;
}

void kd_conv_2d(const kd_convolution *step, const int8_t *input, int8_t *output)
{
  const kd_window *window = &step->window;
  const int32_t weights = window->height * window->width * step->input.channels;

  for (int32_t row = 0; row < step->output.height; row++) {
    for (int32_t column = 0; column < step->output.width; column++) {
      const place at = place_of(window, &step->input, row, column);

      for (int32_t channel = 0; channel < step->output.channels; channel++) {
        const int8_t *own = step->weights + channel * weights;

        *output++ = convolved(step, window_sum(step, &at, own, input), channel);
      }
    }
  }
}

static int32_t depthwise_sum(const kd_convolution *step, const place *at,
                             int32_t channel, const int8_t *input)
{
  const kd_window *window = &step->window;
  int32_t sum = 0;

  for (int32_t y = at->first_y; y < at->end_y; y++) {
    for (int32_t x = at->first_x; x < at->end_x; x++) {
      const int8_t *from = pixel(&step->input, window, at, y, x, input);
      const int32_t weight = (y * window->width + x) * step->output.channels + channel;

      sum += step->weights[weight] *
             (from[channel / step->depth_multiplier] - step->input_zero_point);
    }
  }
  return sum;
}

void kd_depthwise_conv_2d(const kd_convolution *step, const int8_t *input,
                          int8_t *output)
{
  for (int32_t row = 0; row < step->output.height; row++) {
    for (int32_t column = 0; column < step->output.width; column++) {
      const place at = place_of(&step->window, &step->input, row, column);

      for (int32_t channel = 0; channel < step->output.channels; channel++) {
        *output++ = convolved(step, depthwise_sum(step, &at, channel, input), channel);
      }
    }
  }
}

void kd_max_pool_2d(const kd_pooling *step, const int8_t *input, int8_t *output)
{
  for (int32_t row = 0; row < step->output.height; row++) {
    for (int32_t column = 0; column < step->output.width; column++) {
      const place at = place_of(&step->window, &step->input, row, column);

      for (int32_t channel = 0; channel < step->output.channels; channel++) {
        int32_t most = INT8_MIN;

        for (int32_t y = at.first_y; y < at.end_y; y++) {
          for (int32_t x = at.first_x; x < at.end_x; x++) {
            most = most_of(
                most, pixel(&step->input, &step->window, &at, y, x, input)[channel]);
          }
        }
        *output++ = clipped(most, &step->range);
      }
    }
  }
}

void kd_average_pool_2d(const kd_pooling *step, const int8_t *input, int8_t *output)
{
  for (int32_t row = 0; row < step->output.height; row++) {
    for (int32_t column = 0; column < step->output.width; column++) {
      const place at = place_of(&step->window, &step->input, row, column);
      const int32_t count = (at.end_y - at.first_y) * (at.end_x - at.first_x);

      for (int32_t channel = 0; channel < step->output.channels; channel++) {
        int32_t sum = 0;

        for (int32_t y = at.first_y; y < at.end_y; y++) {
          for (int32_t x = at.first_x; x < at.end_x; x++) {
            sum += pixel(&step->input, &step->window, &at, y, x, input)[channel];
          }
        }
        sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        *output++ = clipped(sum, &step->range);
      }
    }
  }
}

void kd_mean(const kd_average *step, const int8_t *input, int8_t *output)
{
  for (int32_t outer = 0; outer < step->outer; outer++) {
    for (int32_t inner = 0; inner < step->inner; inner++) {
      int32_t sum = -step->count * step->input_zero_point;

      for (int32_t number = 0; number < step->count; number++) {
        sum += input[number * step->inner + inner];
      }
      sum = rescaled(sum, step->multiplier, step->shift);
      *output++ = clipped(sum + step->range.zero_point, &step->range);
    }
    input += step->count * step->inner;
  }
}

static int32_t sum_of(const kd_pair *step, int32_t a, int32_t b)
{
  /* Room for the fraction of the smaller one. */
  a = rescaled(a * (1 << 20), step->multiplier_1, step->shift_1);
  b = rescaled(b * (1 << 20), step->multiplier_2, step->shift_2);
  return rescaled(a + step->sign * b, step->multiplier_output, step->shift_output);
}

static int32_t product_of(const kd_pair *step, int32_t a, int32_t b)
{
  return rescaled(a * b, step->multiplier_output, step->shift_output);
}

static void each_pair(const kd_pair *step, const int8_t *input_1,
                      const int8_t *input_2, int8_t *output,
                      int32_t (*result)(const kd_pair *, int32_t, int32_t))
{
  int32_t at[4];

  for (at[0] = 0; at[0] < step->size[0]; at[0]++)
  for (at[1] = 0; at[1] < step->size[1]; at[1]++)
  for (at[2] = 0; at[2] < step->size[2]; at[2]++)
  for (at[3] = 0; at[3] < step->size[3]; at[3]++) {
    int32_t place_1 = 0, place_2 = 0, value;

    for (int axis = 0; axis < 4; axis++) {
      place_1 += at[axis] * step->stride_1[axis];
      place_2 += at[axis] * step->stride_2[axis];
    }
    value = result(step, input_1[place_1] - step->zero_point_1,
                   input_2[place_2] - step->zero_point_2);
    *output++ = clipped(value + step->range.zero_point, &step->range);
  }
}

void kd_add(const kd_pair *step, const int8_t *input_1, const int8_t *input_2,
            int8_t *output)
{
  each_pair(step, input_1, input_2, output, sum_of);
}

void kd_multiply(const kd_pair *step, const int8_t *input_1, const int8_t *input_2,
                 int8_t *output)
{
  each_pair(step, input_1, input_2, output, product_of);
}

void kd_look_up(const int8_t *table, int32_t count, const int8_t *input,
                int8_t *output)
{
  for (int32_t number = 0; number < count; number++) {
    output[number] = table[input[number] + 128];
  }
}

/* 2^62 / (2^31 + fraction), for a fraction of 2^31, by three steps of Newton's method
   on numbers with 29 bits behind the point. */
static int32_t reciprocal(int32_t fraction)
{
  const int32_t half = (int32_t)(((int64_t)fraction + INT32_MAX + 1) / 2);
  int32_t estimate = 1515870810 + high_product(half, -1010580540); /* 48/17, 32/17 */

  for (int step = 0; step < 3; step++) {
    const int32_t error = (1 << 29) - high_product(half, estimate);

    estimate += doubled(high_product(estimate, error), 2);
  }
  return doubled(estimate, 1);
}

/* How many of the highest bits are 0. */
static int32_t leading_zeros(uint32_t value)
{
  int32_t bits = 0;

  for (; bits < 32 && !(value >> 31); bits++) value <<= 1;
  return bits;
}

static void softmax_row(const int32_t *exponential, int32_t columns,
                        const int8_t *input, int8_t *output)
{
  int32_t most = INT8_MIN, sum = 0, zeros, factor;

  for (int32_t column = 0; column < columns; column++) {
    most = most_of(most, input[column]);
  }
  for (int32_t column = 0; column < columns; column++) {
    sum += halved(exponential[most - input[column]], 12);
  }
  zeros = leading_zeros((uint32_t)sum);
  factor = reciprocal((int32_t)(((uint32_t)sum << zeros) - ((uint32_t)1 << 31)));
  for (int32_t column = 0; column < columns; column++) {
    const int32_t part = high_product(factor, exponential[most - input[column]]);
    const int32_t value = halved(part, 12 - zeros + 31 - 8) + INT8_MIN;

    output[column] = (int8_t)most_of(INT8_MIN, least_of(value, INT8_MAX));
  }
}

void kd_softmax(const int32_t *exponential, int32_t rows, int32_t columns,
                const int8_t *input, int8_t *output)
{
  for (int32_t row = 0; row < rows; row++) {
    softmax_row(exponential, columns, input + row * columns, output + row * columns);
  }
}

static int is_inside(const kd_padding *step, const int32_t *at)
{
  for (int axis = 0; axis < 4; axis++) {
    const int32_t place = at[axis] - step->before[axis];

    if (place < 0 || place >= step->size[axis]) return 0;
  }
  return 1;
}

void kd_pad(const kd_padding *step, const int8_t *input, int8_t *output)
{
  int32_t total[4], at[4];

  for (int axis = 0; axis < 4; axis++) {
    total[axis] = step->before[axis] + step->size[axis] + step->after[axis];
  }
  for (at[0] = 0; at[0] < total[0]; at[0]++)
  for (at[1] = 0; at[1] < total[1]; at[1]++)
  for (at[2] = 0; at[2] < total[2]; at[2]++)
  for (at[3] = 0; at[3] < total[3]; at[3]++) {
    *output++ = is_inside(step, at) ? *input++ : step->value;
  }
}

void kd_copy_rows(int32_t rows, int32_t count, int32_t stride, const int8_t *input,
                  int8_t *output)
{
  for (int32_t row = 0; row < rows; row++) {
    memcpy(output + row * stride, input + row * count, (size_t)count);
  }
}
