// What `main` returns is the status, modulo 256.
//# Status: 44
int main(void) { return 300; }
