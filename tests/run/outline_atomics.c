// Atomic operations are calls of functions in libgcc's static part, of every operation, size and ordering.
//# Arch: aarch64
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic | -O2 -mno-outline-atomics
//# Stdout: 3f 20000
//# Stdout: 3f 20000
//# Stdout: 3f 20000
//# Stdout: 3f 20000
//# Stdout: 1 1 swapped
#include <pthread.h>
#include <stdio.h>
#define TEST(type)                                                                                                     \
    static type value_##type, count_##type;                                                                            \
    static void *add_##type(void *unused) {                                                                            \
        for (int i = 0; i < 10000; i++)                                                                                \
            __atomic_fetch_add(&count_##type, 1, __ATOMIC_RELAXED);                                                    \
        return unused;                                                                                                 \
    }                                                                                                                  \
    static void test_##type(void) {                                                                                    \
        type old = 0, *value = &value_##type;                                                                          \
        int right = __atomic_compare_exchange_n(value, &old, 0x70, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);             \
        right |= (__atomic_exchange_n(value, 0x33, __ATOMIC_RELEASE) == 0x70) << 1;                                    \
        right |= (__atomic_fetch_or(value, 0x0c, __ATOMIC_SEQ_CST) == 0x33) << 2;                                      \
        right |= (__atomic_fetch_and(value, 0x1f, __ATOMIC_ACQUIRE) == 0x3f) << 3;                                     \
        right |= (__atomic_fetch_xor(value, 0x0f, __ATOMIC_RELAXED) == 0x1f) << 4;                                     \
        right |= (__sync_fetch_and_sub(value, 0x0f) == 0x10 && *value == 1) << 5;                                      \
        pthread_t threads[2];                                                                                          \
        for (int i = 0; i < 2; i++)                                                                                    \
            pthread_create(&threads[i], NULL, add_##type, NULL);                                                       \
        for (int i = 0; i < 2; i++)                                                                                    \
            pthread_join(threads[i], NULL);                                                                            \
        printf("%x %d\n", right, (int)(count_##type == (type)20000 ? 20000 : count_##type));                           \
    }
typedef unsigned char byte;
typedef unsigned short half;
typedef unsigned int word;
typedef unsigned long giant;
TEST(byte)
TEST(half)
TEST(word)
TEST(giant)
int main(void) {
    static __int128 pair = (__int128)5 << 64 | 6;
    __int128 other = (__int128)7 << 64 | 8;
    test_byte();
    test_half();
    test_word();
    test_giant();
    int first = __sync_bool_compare_and_swap(&pair, (__int128)5 << 64 | 6, other);
    int second = !__sync_bool_compare_and_swap(&pair, (__int128)5 << 64 | 6, other);
    printf("%d %d %s\n", first, second, pair == other ? "swapped" : "kept");
    return 0;
}
