//# Flags: -O1 -fstack-protector-all
//# Stderr: stack smashing detected
//# Native: no
//# Status: 134
#include <string.h>
__attribute__((noinline)) static void work(char *buffer, int size) {
    for (int i = 0; i < size; i++)
        ((volatile char *)buffer)[i] = 'x';
}
int main(int argc, char **argv) {
    char buffer[16];
    work(buffer, 16 + 8 * argc + 16);
    return 0;
}
