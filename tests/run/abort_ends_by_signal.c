// `abort` ends the process by its signal.
//# Status: 134
#include <stdlib.h>
int main(void) { abort(); }
