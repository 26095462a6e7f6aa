#include "report.h"

#include <math.h>
#include <stdio.h>

#include "failure.h"
#include "machine.h"
#include "statistics.h"

/* As a JSON string. Bytes from 128 on pass: the names of files are UTF-8 here. */
static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            printf("\\%c", byte);
        } else if (byte < 0x20) {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void print_text(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    if (*text) {
        print_string(text);
    } else {
        printf("null");
    }
}

static void print_number(const char *name, double value, bool known)
{
    /* JSON has no infinity and nothing that is not a number. */
    if (known && isfinite(value)) {
        printf(", \"%s\": %.9g", name, value);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_bytes(const char *name, long long value)
{
    if (value > 0) {
        printf(", \"%s\": %lld", name, value);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_times(const Report *report)
{
    const double *times = report->sorted_ms;
    int runs = report->options->runs;
    bool timed = times != NULL;

    printf(", \"runs\": %d, \"warmup\": %d", timed ? runs : 0,
           timed ? report->options->warmup : 0);
    print_number("init_ms", report->init_ms, timed);
    print_number("min_ms", timed ? times[0] : 0, timed);
    print_number("p50_ms", timed ? percentile(times, runs, 0.5) : 0, timed);
    print_number("p90_ms", timed ? percentile(times, runs, 0.9) : 0, timed);
    print_number("p99_ms", timed ? percentile(times, runs, 0.99) : 0, timed);
}

static void print_operations(const Report *report)
{
    printf(", \"operations\": ");
    if (!report->operations) {
        printf("null");
        return;
    }
    for (int k = 0; k < report->operation_count; k++) {
        printf("%s{\"name\": ", k ? ", " : "[");
        print_string(report->operations[k].name);
        print_number("ms", report->operations[k].ms, true);
        putchar('}');
    }
    printf(report->operation_count ? "]" : "[]");
}

static void print_golden(const Report *report)
{
    if (!report->golden) {
        printf(", \"golden\": null");
        return;
    }
    printf(", \"golden\": {\"examples\": %zu, \"same_class\": %zu", report->golden->count,
           report->agreement.same_class);
    print_number("max_difference", report->agreement.max_difference, true);
    putchar('}');
}

void print_report(const Report *report)
{
    char machine[400], governor[64];

    describe_machine(machine, sizeof machine);
    read_governor(governor, sizeof governor);
    printf("{\"schema\": %d", SCHEMA);
    print_text("file", report->options->file);
    print_bytes("size_bytes", report->size_bytes);
    print_text("machine", machine);
    print_text("runtime", "LiteRT " LITERT_VERSION ", C");
    print_text("accelerator", "CPU");
    printf(", \"is_emulated\": %s", report->options->emulated ? "true" : "false");
    printf(", \"threads\": %d", report->options->threads);
    print_times(report);
    print_bytes("peak_memory_bytes", report->peak_memory_bytes);
    printf(", \"arena_bytes\": null");
    print_operations(report);
    print_text("governor", governor);
    print_number("load", report->load, report->load >= 0);
    print_golden(report);
    printf("}\n");
    if (fflush(stdout) || ferror(stdout)) {
        fail("standard output cannot be written");
    }
}
