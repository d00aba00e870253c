// Inline functions, templates, static locals and type information exist once over all objects.
//# Compilers: clang | gcc
//# Flags: -O0 | -O0 -fPIC | -O2 -fno-inline -fno-pic | -O0 -ffunction-sections -fdata-sections
//# Stdout: 1 1 1 1 7
//# File: common.h
#include <typeinfo>
struct Shape { virtual ~Shape() {} virtual int sides() const { return 0; } };
struct Square : Shape { int sides() const override { return 4; } };
inline int plain(int n) { return n + 1; }
template <class T> T twice(T n) { return n + n; }
inline int &counter() { static int value = 5; return value; }
struct Addresses { int (*plain)(int); double (*twice)(double); int *counter; const std::type_info *type; };
//# File: a.cpp
#include "common.h"
#include <cstdio>
Addresses b(Shape &);
int main() {
    Square square;
    Addresses other = b(square);
    ++counter();
    std::printf("%d %d %d %d %d\n", other.plain == plain, other.twice == twice<double>, other.counter == &counter(),
                other.type == &typeid(Square), counter());
}
//# File: b.cpp
#include "common.h"
Addresses b(Shape &shape) {
    ++counter();
    Square mine;
    return {plain, twice<double>, &counter(), &typeid(shape)};
}
