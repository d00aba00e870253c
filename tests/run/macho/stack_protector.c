//# Flags: -O0 -fstack-protector-all | -O2 -fstack-protector-strong
#include <stdio.h>
#include <string.h>
__attribute__((noinline)) static int work(const char *text) {
    char buffer[32];
    strcpy(buffer, text);
    int sum = 0;
    for (char *p = buffer; *p; p++)
        sum += *p;
    return sum;
}
int main(void) {
    printf("%d\n", work("within bounds"));
    return 0;
}
