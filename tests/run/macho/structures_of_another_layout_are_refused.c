//# Native: no
//# Fails: undefined symbol _readdir$INODE64
extern void *readdir(void *) __asm("_readdir$INODE64");
int main(void) { return readdir(0) != 0; }
