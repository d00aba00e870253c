//# Flags: -O0 | -O2
//# File: main.cpp
extern "C" int printf(const char *, ...);
#include "shapes.h"
Shape *make(int);
void *operator new(unsigned long size) {
    extern void *allocate(unsigned long);
    return allocate(size);
}
int main() {
    for (int i = 0; i < 4; i++) {
        Shape *shape = make(i);
        Named *named = dynamic_cast<Named *>(shape);
        Square *square = dynamic_cast<Square *>(shape);
        printf("%d %s %s\n", shape->area(), named ? named->name() : "nameless", square ? "square" : "other");
        Shape &reference = *shape;
        try {
            printf("%d\n", dynamic_cast<Square &>(reference).side);
        } catch (...) {
            printf("bad cast\n");
        }
    }
    int (Shape::*member)() = &Shape::area;
    printf("%d\n", (make(1)->*member)());
}
//# File: shapes.h
struct Shape {
    virtual int area() = 0;
    virtual ~Shape() {}
};
struct Named {
    virtual const char *name() = 0;
    virtual ~Named() {}
};
struct Square : Shape, Named {
    int side;
    Square(int side) : side(side) {}
    int area() override { return side * side; }
    const char *name() override { return "square"; }
};
struct Rectangle : virtual Shape {
    int a, b;
    Rectangle(int a, int b) : a(a), b(b) {}
    int area() override { return a * b; }
};
struct Frame : Rectangle, virtual Named {
    Frame(int a) : Rectangle(a, a + 1) {}
    const char *name() override { return "frame"; }
};
//# File: shapes.cpp
#include "shapes.h"
alignas(16) static char arena[4096];
static unsigned long used;
void *allocate(unsigned long size) {
    void *result = arena + used;
    used += (size + 15) / 16 * 16;
    return result;
}
void *operator new(unsigned long);
Shape *make(int kind) {
    switch (kind) {
    case 0: return new Square(3);
    case 1: return new Rectangle(4, 5);
    case 2: return new Frame(6);
    default: return new Square(kind);
    }
}
