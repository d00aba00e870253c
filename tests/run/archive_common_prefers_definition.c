// A tentative definition in an object does not load a member, as in today's static linkers' default for archives.
//# Flags: -fcommon
//# Archive: libx.a member.c
//# Stdout: 0
//# File: main.c
#include <stdio.h>
int value;
int main(void) {
    printf("%d\n", value);
    return 0;
}
//# File: member.c
int unrelated = 3;
