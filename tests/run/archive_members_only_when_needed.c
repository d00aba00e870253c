// A member is loaded only when something needs it; one that is not may be wrong in any way.
//# Archive: libx.a needed.c unneeded.c
//# Stdout: needed
//# File: main.c
void needed(void);
int main(void) { needed(); return 0; }
//# File: needed.c
#include <stdio.h>
void needed(void) { puts("needed"); }
//# File: unneeded.c
#include <stdio.h>
void undefined_elsewhere(void);
__attribute__((constructor)) static void up(void) { puts("unneeded"); }
void unneeded(void) { undefined_elsewhere(); }
