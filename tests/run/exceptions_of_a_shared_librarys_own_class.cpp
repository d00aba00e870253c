// A class whose type information lives in a shared library is matched from non-PIC code, which refers to it directly.
//# Flags: -O0 | -O2 -fno-pic
//# Shared: libx.so library.cpp
//# Stdout: base derived 1
//# File: common.h
struct Error { virtual ~Error(); virtual const char *what() const; };
struct Special : Error { const char *what() const override; };
void raise_special();
Error *make();
//# File: main.cpp
#include "common.h"
#include <cstdio>
int main() {
    try { raise_special(); } catch (const Error &error) {
        Error *made = make();
        std::printf("base %s %d\n", error.what(), dynamic_cast<Special *>(made) != nullptr);
        delete made;
    }
}
//# File: library.cpp
//# FileFlags: -fPIC
#include "common.h"
Error::~Error() {}
const char *Error::what() const { return "error"; }
const char *Special::what() const { return "derived"; }
void raise_special() { throw Special(); }
Error *make() { return new Special(); }
