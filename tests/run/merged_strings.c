// Equal string literals of different objects are one, whole and wide, and an offset into one stays one.
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# MoreFlags[aarch64]: -O2 -fPIC | -O2 -mcmodel=large -fno-pic
//# MoreFlags[x86_64]: -O2 -fPIC | -O2 -mcmodel=large
//# File: a.c
#include <stdio.h>
#include <wchar.h>
const char *text(int), *inner(int);
const wchar_t *wide(void);
int main(void) {
    static const char *volatile mine = "a string in two objects";
    static const wchar_t *volatile mine_wide = L"wide string in two objects";
    printf("%s %s\n", mine == text(0) ? "same" : "different", mine_wide == wide() ? "same" : "different");
    printf("%s|%s|%s|%ls\n", text(1), inner(3), text(2), wide());
    printf("%d\n", inner(0) == mine + 2);
    return 0;
}
//# File: b.c
#include <wchar.h>
const char *text(int which) {
    switch (which) {
    case 0: return "a string in two objects";
    case 1: return "";
    default: return "objects";
    }
}
const char *inner(int n) {
    static const char *const table[] = {&"a string in two objects"[2], "x", "y", &"another"[3]};
    return table[n];
}
const wchar_t *wide(void) { return L"wide string in two objects"; }
