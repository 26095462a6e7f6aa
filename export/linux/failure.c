#include "failure.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 2 };

static int our_stderr = STDERR_FILENO;
static FILE *litert_log;

static void on_crash(int signal_number)
{
    /* Only what is allowed in a signal handler. */
    char text[] = "run_student: LiteRT crashed with signal 00; is the file damaged?\n";
    char *digits = strstr(text, "00");
    digits[0] = (char)('0' + signal_number / 10 % 10);
    digits[1] = (char)('0' + signal_number % 10);
    if (write(our_stderr, text, sizeof text - 1) < 0) {
        _exit(FAILED + 1);
    }
    _exit(FAILED);
}

void take_standard_error(void)
{
    static const int crashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

    for (size_t k = 0; k < sizeof crashes / sizeof *crashes; k++) {
        signal(crashes[k], on_crash);
    }
    int ours = dup(STDERR_FILENO);
    litert_log = tmpfile();
    if (ours < 0 || !litert_log) {
        return; /* A board without room for a file: LiteRT's lines come before ours. */
    }
    our_stderr = ours;
    dup2(fileno(litert_log), STDERR_FILENO);
}

/* The first says what the others follow from. */
static void first_error(char *line, size_t size)
{
    char read_line[512];

    line[0] = '\0';
    if (!litert_log) {
        return;
    }
    rewind(litert_log);
    while (!*line && fgets(read_line, sizeof read_line, litert_log)) {
        read_line[strcspn(read_line, "\n")] = '\0';
        /* It quotes damaged files. */
        for (char *letter = read_line; *letter; letter++) {
            *letter = isprint((unsigned char)*letter) ? *letter : '?';
        }
        if (strncmp(read_line, "ERROR", 5) == 0) {
            snprintf(line, size, "%.*s", (int)size - 1, read_line);
        }
    }
}

static _Noreturn void end(const char *format, va_list arguments, const char *reason)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, arguments);
    dprintf(our_stderr, "run_student: %s%s%s\n", text, *reason ? ": " : "", reason);
    exit(FAILED);
}

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    end(format, arguments, "");
}

void fail_in_litert(const char *format, ...)
{
    char reason[400];
    va_list arguments;

    first_error(reason, sizeof reason);
    va_start(arguments, format);
    end(format, arguments, reason);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory) {
        fail("no memory for %zu bytes", count * size);
    }
    return memory;
}
