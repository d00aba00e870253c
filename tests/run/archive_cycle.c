// Archives that need members of each other, without any grouping.
//# Archive: liba.a a1.c a2.c
//# Archive: libb.a b1.c b2.c
//# NativeInputs: main.c -Wl,--start-group liba.a libb.a -Wl,--end-group
//# Inputs: main.c liba.a libb.a
//# Status: 10
//# File: main.c
int a1(void);
int main(void) { return a1(); }
//# File: a1.c
int b1(void);
int a1(void) { return b1() + 1; }
//# File: b1.c
int a2(void);
int b1(void) { return a2() + 2; }
//# File: a2.c
int b2(void);
int a2(void) { return b2() + 3; }
//# File: b2.c
int b2(void) { return 4; }
