// Exceptions work already while initialisers run.
//# Stdout: initialised 3
//# Stdout: main
#include <cstdio>
static int initial() {
    try { throw 3; } catch (int n) { return n; }
}
static struct Early { Early() { std::printf("initialised %d\n", initial()); } } early;
int main() { std::puts("main"); }
