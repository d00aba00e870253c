// A resolver may read data that needed fixing up, and call a function of its own object.
//# Flags: -O0 | -O2 -fPIC
//# Stdout: second
#include <stdio.h>
static const char *one(void) { return "first"; }
static const char *two(void) { return "second"; }
static const char *(*const candidates[])(void) = {one, two};
static volatile int preferred = 1;
__attribute__((noinline)) static int preference(void) { return preferred; }
static const char *(*resolve(void))(void) { return candidates[preference()]; }
const char *pick(void) __attribute__((ifunc("resolve")));
int main(void) {
    puts(pick());
    return 0;
}
