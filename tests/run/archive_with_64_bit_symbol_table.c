// An archive whose symbol table has 64-bit offsets.
//# Archive: libbig.a gnu sym64 member.c
//# Native: no
//# Status: 6
//# File: main.c
int member(void);
int main(void) { return member(); }
//# File: member.c
int member(void) { return 6; }
