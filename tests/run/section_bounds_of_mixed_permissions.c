// Sections of one name, read-only in one object and writable in another, are one section between its bounds.
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -mcmodel=large
//# Flags[aarch64]: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -mcmodel=large -fno-pic
//# Stdout: 3 entries: 1 2 9
//# File: a.c
#include <stdio.h>
extern const long __start_entries[], __stop_entries[];
__attribute__((section("entries"), used)) static const long one = 1;
int main(void) {
    printf("%d entries:", (int)(__stop_entries - __start_entries));
    for (const long *entry = __start_entries; entry < __stop_entries && entry < __start_entries + 10; entry++)
        printf(" %ld", *entry);
    puts("");
    return 0;
}
//# File: b.c
__attribute__((section("entries"), used)) static long two = 2;
__attribute__((constructor)) static void write(void) { (&two)[1] = 9; }
//# File: c.c
__attribute__((section("entries"), used)) static const long three = 3;
