# Old-style .ctors and .dtors run, with their priorities, which count the other way round.
## Native: no
## Stdout: early late main late early.
## File: lists.s
    .section .ctors.65000,"aw",@progbits
    .quad up_early
    .section .ctors,"aw",@progbits
    .quad up_late
    .section .dtors.65000,"aw",@progbits
    .quad down_early
    .section .dtors,"aw",@progbits
    .quad down_late
    .section .note.GNU-stack,"",@progbits
## File: main.c
#include <stdio.h>
void up_early(void) { printf("early "); }
void up_late(void) { printf("late "); }
void down_late(void) { printf("late "); }
void down_early(void) { printf("early.\n"); }
int main(void) {
    printf("main ");
    return 0;
}
