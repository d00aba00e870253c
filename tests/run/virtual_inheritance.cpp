// Virtual bases, construction tables, thunks, dynamic_cast and typeid across objects.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic | -O2 -fPIC
//# Stdout: top left right bottom
//# Stdout: bottom 4 1 1
//# Stdout: 6Bottom
//# Stdout: ~bottom ~right ~left ~top
//# File: common.h
#include <cstdio>
struct Top { Top(); virtual ~Top(); virtual int id() { return 1; } int top; };
struct Left : virtual Top { Left(); ~Left(); int id() override { return 2; } int left; };
struct Right : virtual Top { Right(); ~Right(); virtual const char *name(); int right; };
struct Bottom : Left, Right { Bottom(); ~Bottom(); int id() override; const char *name() override; };
Top *make();
//# File: main.cpp
#include "common.h"
#include <typeinfo>
int main() {
    Top *top = make();
    Right *right = dynamic_cast<Right *>(top);
    std::printf("%s %d %d %d\n", right->name(), top->id(), dynamic_cast<Left *>(right) != nullptr,
                dynamic_cast<void *>(right) == dynamic_cast<Bottom *>(top));
    std::printf("%s\n", typeid(*right).name());
    delete top;
}
//# File: classes.cpp
#include "common.h"
Top::Top() : top(1) { std::printf("top "); }
Top::~Top() { std::printf("~top\n"); }
Left::Left() : left(2) { std::printf("left "); }
Left::~Left() { std::printf("~left "); }
Right::Right() : right(3) { std::printf("right "); }
Right::~Right() { std::printf("~right "); }
const char *Right::name() { return "right"; }
Bottom::Bottom() { std::printf("bottom\n"); }
Bottom::~Bottom() { std::printf("~bottom "); }
int Bottom::id() { return 4; }
const char *Bottom::name() { return "bottom"; }
Top *make() { return new Bottom; }
