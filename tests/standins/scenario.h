/* Reads the scenario file (see scenario.py) that STEELYARD_STANDIN_SCENARIO names, again whenever it changes.
 *
 *   int code = scenario_enter("nvmlDeviceGetName", device, LOST, MISSING);   hangs, errors, losses: 0 means go on
 *   double watts = scenario_number("power_w", device, 300.0);
 *   scenario_text("name", device, "NVIDIA H100 80GB HBM3", out, sizeof out);
 *   double t = scenario_seconds();
 *
 * device -1: the call is about the library. Each function of a library begins with scenario_look(). */
#ifndef STEELYARD_SCENARIO_H
#define STEELYARD_SCENARIO_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCENARIO_ENTRIES 512

/* How many devices there are where no scenario tells: 8, or what a variable says, which costs a bench no time. */
static int scenario_usual_devices(const char *variable) {
    static int usual;
    if (usual == 0) {
        const char *text = getenv(variable);
        usual = text && atoi(text) > 0 ? atoi(text) : 8;
    }
    return usual;
}

static struct {
    char key[96];
    char value[160];
} scenario_entries[SCENARIO_ENTRIES];
static int scenario_count;
static struct stat scenario_seen;
static pthread_mutex_t scenario_lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether there is a scenario, looked up as each call begins: where every figure is a default, to ask for each of them
 * would cost more than the agent. */
static __thread int has_scenario;

static void scenario_look(void) { has_scenario = getenv("STEELYARD_STANDIN_SCENARIO") != NULL; }

static void scenario_load(const char *path) {
    FILE *file = fopen(path, "r");
    char line[300];
    scenario_count = 0;
    if (!file)
        return;
    while (scenario_count < SCENARIO_ENTRIES && fgets(line, sizeof line, file)) {
        char *key = scenario_entries[scenario_count].key;
        char *value = scenario_entries[scenario_count].value;
        if (sscanf(line, "%95s %159[^\n]", key, value) == 2)
            scenario_count++;
    }
    fclose(file);
}

static void scenario_refresh(void) {
    const char *path = getenv("STEELYARD_STANDIN_SCENARIO");
    struct stat now;
    if (!path || stat(path, &now) != 0) {
        scenario_count = 0;
        return;
    }
    if (now.st_ino != scenario_seen.st_ino || now.st_size != scenario_seen.st_size ||
        now.st_mtim.tv_sec != scenario_seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != scenario_seen.st_mtim.tv_nsec) {
        scenario_load(path);
        scenario_seen = now;
    }
}

static const char *scenario_find(const char *key) {
    for (int i = 0; i < scenario_count; i++)
        if (strcmp(scenario_entries[i].key, key) == 0)
            return scenario_entries[i].value;
    return NULL;
}

/* Copies the value of key.device, else of key; 0 where there is neither. */
static int scenario_get(const char *key, int device, char *out, size_t size) {
    char full[160];
    const char *found = NULL;
    if (!has_scenario)
        return 0;
    pthread_mutex_lock(&scenario_lock);
    scenario_refresh();
    if (scenario_count > 0) {
        if (device >= 0) {
            snprintf(full, sizeof full, "%s.%d", key, device);
            found = scenario_find(full);
        }
        if (!found)
            found = scenario_find(key);
        if (found)
            snprintf(out, size, "%s", found);
    }
    pthread_mutex_unlock(&scenario_lock);
    return found != NULL;
}

static inline double scenario_number(const char *key, int device, double fallback) {
    char text[160];
    return scenario_get(key, device, text, sizeof text) ? strtod(text, NULL) : fallback;
}

static inline void scenario_text(const char *key, int device, const char *fallback, char *out, size_t size) {
    if (!scenario_get(key, device, out, size))
        snprintf(out, size, "%s", fallback);
}

/* Seconds of the machine, whatever the scenario's clock says. */
static inline double machine_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds since the library was first asked, or the scenario's clock. */
static inline double scenario_seconds(void) {
    static double start;
    double seconds = machine_seconds();
    if (start == 0)
        start = seconds;
    return scenario_number("clock", -1, seconds - start);
}

/* Adds a line to the file of the key log.<function>: the device, and when it was asked. */
static inline void scenario_log(const char *function, int device) {
    char key[160], path[160];
    struct timespec now;
    FILE *file;
    snprintf(key, sizeof key, "log.%s", function);
    if (!scenario_get(key, -1, path, sizeof path) || !(file = fopen(path, "a")))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(file, "%d %lld.%09ld\n", device, (long long)now.tv_sec, now.tv_nsec);
    fclose(file);
}

static inline void scenario_hang(const char *key, int device) {
    /* By the clock: on a busy machine a nap takes longer. */
    for (double since = machine_seconds(); machine_seconds() - since < scenario_number(key, device, 0);) {
        struct timespec slice = {0, 5000000};
        int only_in = (int)scenario_number("hangs_in", -1, 0);
        if (only_in != 0 && only_in != getpid())
            return;
        nanosleep(&slice, NULL);
        scenario_look();
    }
}

/* The code of the key refused; beside the key flaky for that share of the calls, always in the same order. */
static inline int scenario_refusal(int device) {
    static unsigned int state = 1;
    int code = (int)scenario_number("refused", device, 0);
    return code != 0 && rand_r(&state) < scenario_number("flaky", device, 1.0) * RAND_MAX ? code : 0;
}

/* Hangs if told to, then the code to return: 0 goes on. */
static inline int scenario_enter(const char *function, int device, int lost_code, int missing_code) {
    char key[160];
    int code;
    if (!has_scenario)
        return 0;
    scenario_log(function, device);
    snprintf(key, sizeof key, "hang.%s", function);
    scenario_hang(key, device);
    if (device >= 0)
        scenario_hang("hung", device);
    snprintf(key, sizeof key, "missing.%s", function);
    if (scenario_number(key, device, 0) != 0)
        return missing_code;
    if (device >= 0 && scenario_number("lost", device, 0) != 0)
        return lost_code;
    if (device >= 0 && (code = scenario_refusal(device)) != 0)
        return code;
    snprintf(key, sizeof key, "error.%s", function);
    return (int)scenario_number(key, device, 0);
}

#endif
