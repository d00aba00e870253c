// GNU's archive format keeps long member names in a table.
//# Archive: libgnu.a gnu a_member_with_a_rather_long_name.c another_member_with_a_long_name.c
//# Status: 6
//# File: main.c
int member(void);
int main(void) { return member(); }
//# File: a_member_with_a_rather_long_name.c
int more(void);
int member(void) { return more() * 2; }
//# File: another_member_with_a_long_name.c
int more(void) { return 3; }
