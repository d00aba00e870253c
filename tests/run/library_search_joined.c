// `-LDIR` and `-lNAME` in one word each.
//# Archive: libonly.a only.c
//# Inputs: main.c -L@DIR -lonly
//# Status: 3
//# File: main.c
int only(void);
int main(void) { return only(); }
//# File: only.c
int only(void) { return 3; }
