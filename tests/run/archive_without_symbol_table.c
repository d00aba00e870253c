// An archive without any symbol table is searched through its members.
//# Archive: libplain.a nosymtab member.c other.c
//# Native: no
//# Status: 6
//# File: main.c
int member(void);
int main(void) { return member(); }
//# File: member.c
int member(void) { return 6; }
//# File: other.c
int undefined_elsewhere(void);
int other(void) { return undefined_elsewhere(); }
