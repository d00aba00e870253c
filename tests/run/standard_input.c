// The program reads standard input and writes much to standard output.
//# Stdin: 3 4 5
//# Stdin: 6
#include <stdio.h>
int main(void) {
    int sum = 0, n;
    while (scanf("%d", &n) == 1)
        sum += n;
    for (int i = 0; i < 20000; i++)
        printf("%d %d\n", i, sum);
    return 0;
}
