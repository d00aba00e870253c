// A member that would define a name again is not loaded, so there is no conflict.
//# Archive: libx.a other.c
//# Status: 1
//# File: main.c
int value(void) { return 1; }
int main(void) { return value(); }
//# File: other.c
int value(void) { return 2; }
