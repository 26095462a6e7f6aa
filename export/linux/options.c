#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

#define USAGE                                                                        \
    "usage: run_student student.tflite [--golden FILE] [--outputs FILE] "             \
    "[--threads N] [--runs N] [--warmup N] [--profile] [--emulated]"

static int whole_number(const char *name, const char *word, long least, long most)
{
    char *end;

    errno = 0;
    long value = strtol(word, &end, 10);
    if (errno || end == word || *end || value < least || value > most) {
        fail("expected %s to be a whole number from %ld to %ld, got \"%s\"", name, least,
             most, word);
    }
    return (int)value;
}

static void read_value(Options *options, const char *name, const char *word)
{
    if (!word) {
        fail("%s needs a value; " USAGE, name);
    } else if (strcmp(name, "--golden") == 0) {
        options->golden = word;
    } else if (strcmp(name, "--outputs") == 0) {
        options->outputs = word;
    } else if (strcmp(name, "--threads") == 0) {
        options->threads = whole_number(name, word, 1, 1024);
    } else if (strcmp(name, "--runs") == 0) {
        options->runs = whole_number(name, word, 1, 10000000);
    } else if (strcmp(name, "--warmup") == 0) {
        options->warmup = whole_number(name, word, 0, 10000000);
    } else {
        fail("unknown option %s; " USAGE, name);
    }
}

Options read_options(int count, char **words)
{
    Options options = {.threads = 1, .runs = 200, .warmup = 20};

    for (int k = 1; k < count; k++) {
        if (strcmp(words[k], "--profile") == 0) {
            options.profile = true;
        } else if (strcmp(words[k], "--emulated") == 0) {
            options.emulated = true;
        } else if (strncmp(words[k], "--", 2) == 0) {
            /* words[count] is NULL. */
            read_value(&options, words[k], words[k + 1]);
            k++;
        } else if (!options.file) {
            options.file = words[k];
        } else {
            fail("expected one file, got a second, \"%s\"", words[k]);
        }
    }
    if (!options.file) {
        fail(USAGE);
    }
    if (options.outputs && !options.golden) {
        fail("--outputs is for the golden inputs: give --golden FILE too");
    }
    return options;
}
