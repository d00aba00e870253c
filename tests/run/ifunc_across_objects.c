// An indirect function defined in one object is called from others, and its address is the same everywhere.
// (Static linkers give the indirect symbol another address in data than in code here.)
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -mcmodel=large
//# Flags[aarch64]: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -mcmodel=large -fno-pic
//# Native: no
//# Stdout: 10 11 same same
//# File: main.c
#include <stdio.h>
typedef int function(int);
function indirect;
function *address_in_definer(void), *address_in_data(void);
int main(void) {
    function *volatile mine = indirect;
    printf("%d %d %s %s\n", indirect(0), address_in_data()(1), mine == address_in_definer() ? "same" : "different",
           mine == address_in_data() ? "same" : "different");
    return 0;
}
//# File: definer.c
typedef int function(int);
static int chosen(int n) { return 10 + n; }
static function *volatile choice = chosen;
static function *resolve(void) { return choice; }
int indirect(int) __attribute__((ifunc("resolve")));
function *address_in_definer(void) { return indirect; }
//# File: data.c
typedef int function(int);
function indirect;
static function *volatile table[] = {indirect};
function *address_in_data(void) { return table[0]; }
