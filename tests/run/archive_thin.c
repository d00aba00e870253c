// A thin archive holds names of files only.
//# Archive: libthin.a thin member.c other.c
//# Status: 6
//# File: main.c
int member(void);
int main(void) { return member(); }
//# File: member.c
int other(void);
int member(void) { return other() + 1; }
//# File: other.c
int other(void) { return 5; }
