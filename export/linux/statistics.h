/* What is told of many times. */
#ifndef KERAS_KD_STATISTICS_H
#define KERAS_KD_STATISTICS_H

/* Milliseconds of a clock that only goes forward. */
double now_ms(void);

void sort_numbers(double *values, int count);

/* Between the two nearest of sorted values, linearly, as NumPy's default; `fraction` in
 * [0, 1], count > 0. */
double percentile(const double *sorted, int count, double fraction);

#endif
