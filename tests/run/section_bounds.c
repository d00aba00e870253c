// `__start_X` and `__stop_X` enclose the sections X of all objects, in command-line order, also from C-named sections
// that nothing else refers to.
//# Flags: -O0 | -O2 -ffunction-sections -fdata-sections | -O2 -fno-pic | -O2 -mcmodel=large
//# Flags[aarch64]: -O0 | -O2 -ffunction-sections -fdata-sections | -O2 -fno-pic | -O2 -mcmodel=large -fno-pic
//# Stdout: 1 2 3 10 20
//# Stdout: absent
//# File: a.c
#include <stdio.h>
extern const int __start_numbers[], __stop_numbers[];
extern int __start_writable[] __attribute__((visibility("hidden"))), __stop_writable[] __attribute__((visibility("hidden")));
extern const int __start_nothing[] __attribute__((weak));
__attribute__((section("numbers"), used)) static const int one = 1;
__attribute__((section("writable"), used)) static int ten = 10;
int main(void) {
    for (const int *n = __start_numbers; n != __stop_numbers; n++)
        printf("%d ", *n);
    for (int *n = __start_writable; n != __stop_writable; n++)
        printf("%d%s", *n, n + 1 == __stop_writable ? "\n" : " ");
    puts(__start_nothing ? "present" : "absent");
    return 0;
}
//# File: b.c
__attribute__((section("numbers"), used)) static const int two = 2;
//# File: c.c
__attribute__((section("numbers"), used)) static const int three = 3;
__attribute__((section("writable"), used)) static int twenty = 20;
