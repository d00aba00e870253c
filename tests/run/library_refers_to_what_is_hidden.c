// What is hidden is not for libraries.
//# Shared: libback.so library.c
//# Fails: a shared library refers to back, which is hidden or was dropped
//# File: main.c
__attribute__((visibility("hidden"))) int back(void) { return 1; }
int forth(void);
int main(void) { return forth() + back(); }
//# File: library.c
//# FileFlags: -fPIC
int back(void);
int forth(void) { return back(); }
