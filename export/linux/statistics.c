#include "statistics.h"

#include <stdlib.h>
#include <time.h>

double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

void sort_numbers(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
}

double percentile(const double *sorted, int count, double fraction)
{
    double position = fraction * (count - 1);
    int below = (int)position;

    if (below + 1 >= count) {
        return sorted[count - 1];
    }
    return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
}
