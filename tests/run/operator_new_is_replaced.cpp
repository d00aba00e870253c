// The C++ library allocates by the program's operator new, if it has one.
//# Flags: -O0 | -O2 -fPIC
//# Stdout: own 1, library 1, freed 1
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string>
static long allocated, freed;
void *operator new(std::size_t size) {
    ++allocated;
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { ++freed; std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { ++freed; std::free(memory); }
int main() {
    long before = allocated;
    int *volatile number = new int(5);
    delete number;
    bool own = allocated == before + 1;
    before = allocated;
    bool library;
    {
        std::ostringstream stream;
        // Grown by code of the library.
        for (int i = 0; i < 1000; i++) stream << i << ' ';
        library = allocated > before;
    }
    std::printf("own %d, library %d, freed %d\n", own, library, freed > 1 && allocated == freed);
}
