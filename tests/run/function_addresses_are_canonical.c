// The address of a C library function is the same from PIC and non-PIC objects, in code and in data, and works.
//# Stdout: same same same 5
//# File: main.c
//# FileFlags: -O0 -fno-pic
#include <stdio.h>
#include <string.h>
typedef size_t function(const char *);
function *from_pic(void), *from_pic_data(void);
static function *volatile in_data = strlen;
int main(void) {
    function *volatile in_code = strlen;
    printf("%s %s %s %d\n", in_code == in_data ? "same" : "different", in_code == from_pic() ? "same" : "different",
           in_code == from_pic_data() ? "same" : "different", (int)in_data("12345"));
    return 0;
}
//# File: pic.c
//# FileFlags: -O0 -fPIC
#include <string.h>
typedef size_t function(const char *);
static function *volatile in_data = strlen;
function *from_pic(void) { return strlen; }
function *from_pic_data(void) { return in_data; }
