#include <stdio.h>
#include <stdlib.h>

#include "failure.h"
#include "model.h"

static void check(LiteRtStatus status)
{
    if (status) {
        fail_in_litert("LiteRT cannot profile the file (status %d)", status);
    }
}

/* Those of one run, operations only; the caller frees them. */
static LiteRtProfilerEvent *run_operations(Model *model, LiteRtProfiler profiler,
                                           int *count)
{
    int all = 0;

    check(LiteRtResetProfiler(profiler));
    check(LiteRtStartProfiler(profiler));
    run_model(model);
    check(LiteRtStopProfiler(profiler));
    check(LiteRtGetNumProfilerEvents(profiler, &all));
    LiteRtProfilerEvent *events = allocate((size_t)all, sizeof *events);
    check(LiteRtGetProfilerEvents(profiler, all, events));
    *count = 0;
    for (int k = 0; k < all; k++) {
        if (events[k].event_type == kOperatorInvokeEvent ||
            events[k].event_type == kDelegateProfiledOperatorInvokeEvent) {
            events[(*count)++] = events[k];
        }
    }
    return events;
}

Operation *profile_model(Model *model, int runs, int *count)
{
    LiteRtProfiler profiler;

    check(LiteRtCompiledModelGetProfiler(model->compiled, &profiler));
    /* The first run also plans memory: it only tells which operations there are. */
    LiteRtProfilerEvent *events = run_operations(model, profiler, count);
    Operation *operations = allocate((size_t)*count, sizeof *operations);
    for (int k = 0; k < *count; k++) {
        snprintf(operations[k].name, sizeof operations[k].name, "%s", events[k].tag);
    }
    free(events);
    for (int run = 0; run < runs; run++) {
        int ran = 0;
        events = run_operations(model, profiler, &ran);
        if (ran != *count) {
            fail("LiteRT reported %d operations in one run, %d in another", *count, ran);
        }
        for (int k = 0; k < ran; k++) {
            operations[k].ms += (double)events[k].elapsed_time_us / 1e3 / runs;
        }
        free(events);
    }
    return operations;
}
