//# Flags: -O0 | -O2 -femit-dwarf-unwind=no-compact-unwind
//# File: main.cpp
extern "C" int printf(const char *, ...);
#include "class.h"
int middle(int);
Error::~Error() {}
int main() {
    for (int i = 0; i < 3; i++) {
        try {
            printf("%d\n", middle(i));
        } catch (const Error &error) {
            printf("error %d\n", error.code);
        }
    }
}
//# File: class.h
struct Error {
    int code;
    Error(int code) : code(code) {}
    virtual ~Error();
};
struct Special : Error {
    Special() : Error(100) {}
};
template <class T> T checked(T value) {
    if (value == 1)
        throw Error(value);
    if (value == 2)
        throw Special();
    return value;
}
//# File: middle.cpp
#include "class.h"
struct Count {
    static int all;
    ~Count() { all++; }
};
int Count::all = 10;
int middle(int value) {
    Count count;
    return checked(value) + Count::all;
}
//# File: other.cpp
#include "class.h"
int other(int value) { return checked(value) + 1; }
