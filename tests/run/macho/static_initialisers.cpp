//# Flags: -O0 | -O2
// In the order of objects, and in each from top to bottom; destructors in reverse, after main.
//# File: first.cpp
extern "C" int printf(const char *, ...);
struct Loud {
    int number;
    Loud(int number) : number(number) { printf("+%d\n", number); }
    ~Loud() { printf("-%d\n", number); }
};
Loud one(1), two(2);
extern int computed;
extern "C" int atexit(void (*)());
int main() {
    printf("main %d\n", computed);
    atexit([] { printf("at exit\n"); });
    static Loud late(9);
    return 0;
}
//# File: second.cpp
extern "C" int printf(const char *, ...);
struct Loud2 {
    Loud2() { printf("+second\n"); }
    ~Loud2() { printf("-second\n"); }
} second;
int square(int x) { return x * x; }
int computed = square(7);
__attribute__((constructor)) static void constructor() { printf("constructor\n"); }
