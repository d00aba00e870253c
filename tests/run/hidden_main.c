// A hidden `main` is found, and may be reached from an archive.
//# Archive: libmain.a main.c
//# Inputs: first.c libmain.a
//# Status: 9
//# File: first.c
int helper(void) { return 9; }
//# File: main.c
int helper(void);
__attribute__((visibility("hidden"))) int main(void) { return helper(); }
