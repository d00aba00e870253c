// The initialiser of a library cannot call what is linked after the library is loaded.
//# Native: no
//# Shared: libearly.so library.c
//# Stderr: error: an initialiser of a shared library calls back, which is linked after the library is loaded
//# Status: 134
//# File: main.c
void back(void) {}
int main(void) { return 0; }
//# File: library.c
//# FileFlags: -fPIC
void back(void);
__attribute__((constructor)) static void start(void) { back(); }
