// `__dso_handle` is defined, hidden, the same for all objects of an image, and in reach of pc-relative access.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: same registered
//# Stdout: handler 5
//# File: a.c
#include <stdio.h>
extern void *__dso_handle __attribute__((visibility("hidden")));
void *handle_elsewhere(void);
int __cxa_atexit(void (*)(void *), void *, void *);
static int value = 5;
static void handler(void *argument) { printf("handler %d\n", *(int *)argument); }
int main(void) {
    printf("%s ", handle_elsewhere() == &__dso_handle ? "same" : "different");
    printf("%s\n", __cxa_atexit(handler, &value, &__dso_handle) ? "failed" : "registered");
    return 0;
}
//# File: b.c
extern void *__dso_handle __attribute__((visibility("hidden")));
void *handle_elsewhere(void) { return &__dso_handle; }
