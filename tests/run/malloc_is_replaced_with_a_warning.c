// A malloc of the program's own is used by linked code alone, which is said.
//# Native: no
//# Stderr: warning: the program: its malloc is used by linked code alone
//# Stdout: own 1
#include <stddef.h>
#include <stdio.h>
static char memory[1 << 16];
static size_t used;
void *malloc(size_t size) {
    void *start = memory + used;
    used += (size + 15) & ~(size_t)15;
    return start;
}
void free(void *start) { (void)start; }
int main(void) {
    char *text = malloc(100);
    int own = text >= memory && text < memory + sizeof memory;
    free(text);
    printf("own %d\n", own);
    return 0;
}
