// `-L` and `-l` find archives and shared libraries; the shared one comes first within a directory.
//# Archive: libonly.a only.c
//# Archive: libboth.a archived.c
//# Shared: libboth.so shared.c
//# Inputs: main.c -L @DIR -lonly -lboth
//# Stdout: only shared
//# File: main.c
#include <stdio.h>
const char *only(void), *both(void);
int main(void) {
    printf("%s %s\n", only(), both());
    return 0;
}
//# File: only.c
const char *only(void) { return "only"; }
//# File: archived.c
const char *both(void) { return "archived"; }
//# File: shared.c
//# FileFlags: -fPIC
const char *both(void) { return "shared"; }
