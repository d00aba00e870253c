// `-entry` names another function to call.
//# Native: no
//# Inputs: -entry=start_here entry_is_chosen.c
//# Status: 12
int main(void) { return 1; }
int start_here(void) { return 12; }
