// BSD's archive format, with long member names.
//# Archive: libbsd.a bsd a_member_with_a_rather_long_name.c
//# Native: no
//# Status: 6
//# File: main.c
int member(void);
int main(void) { return member(); }
//# File: a_member_with_a_rather_long_name.c
int member(void) { return 6; }
