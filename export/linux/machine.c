#include "machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The rest of the first line that starts so, without the separator; false if none. */
static bool find_line(const char *path, const char *start, char *text, size_t size)
{
    char line[512];
    bool found = false;
    FILE *file = fopen(path, "r");

    text[0] = '\0';
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, start, strlen(start)) == 0) {
            const char *rest = line + strlen(start);
            rest += strspn(rest, "\t :");
            snprintf(text, size, "%.*s", (int)strcspn(rest, "\n"), rest);
            found = *text != '\0';
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

void describe_machine(char *text, size_t size)
{
    char name[256];
    struct utsname system;

    if (!find_line("/proc/device-tree/model", "", name, sizeof name) &&
        !find_line("/proc/cpuinfo", "model name", name, sizeof name)) {
        uname(&system);
        snprintf(name, sizeof name, "%s", system.machine);
    }
    snprintf(text, size, "%s, %ld cores, Linux", name, sysconf(_SC_NPROCESSORS_ONLN));
}

void read_governor(char *text, size_t size)
{
    find_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", text, size);
}

double read_load(void)
{
    char text[64];

    return find_line("/proc/loadavg", "", text, sizeof text) ? strtod(text, NULL) : -1;
}

long long peak_memory_bytes(void)
{
    char text[64];

    find_line("/proc/self/status", "VmHWM", text, sizeof text);
    return strtoll(text, NULL, 10) * 1024;
}
