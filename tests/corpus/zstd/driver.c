/* Compresses generated data at several levels, with and without a dictionary, decompresses it, and compares. */
#include "zstd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 400000 };
static unsigned char data[SIZE], packed[SIZE + SIZE / 2], unpacked[SIZE];

int main(void) {
    unsigned long state = 1, sum = 0;
    int bad = 0;
    for (int i = 0; i < SIZE; i++) {
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        data[i] = i % 1000 < 700 ? (unsigned char)"the quick brown fox "[(i + (int)(state >> 62)) % 20] : (unsigned char)(state >> 58);
    }
    ZSTD_CCtx *in = ZSTD_createCCtx();
    ZSTD_DCtx *out = ZSTD_createDCtx();
    for (int level = -5; level <= 19; level += 6) {
        size_t size = ZSTD_compressCCtx(in, packed, sizeof packed, data, SIZE, level);
        for (size_t i = 0; i < size; i++)
            sum = sum * 31 + packed[i];
        size_t back = ZSTD_decompressDCtx(out, unpacked, SIZE, packed, size);
        int same = back == SIZE && !memcmp(data, unpacked, SIZE);
        printf("level %d: %zu bytes, %s, sum %lx\n", level, size, same ? "same" : "different", sum);
        bad += !same;
    }
    size_t size = ZSTD_compress_usingDict(in, packed, sizeof packed, data + 100000, 50000, data, 50000, 3);
    size_t back = ZSTD_decompress_usingDict(out, unpacked, SIZE, packed, size, data, 50000);
    printf("dictionary: %zu bytes, %s\n", size, back == 50000 && !memcmp(data + 100000, unpacked, 50000) ? "same" : "different");
    packed[size / 2] ^= 1;
    printf("damaged: %s\n", ZSTD_isError(ZSTD_decompressDCtx(out, unpacked, SIZE, packed, size)) ? "refused" : "accepted");
    printf("%s, %d bad\n", ZSTD_versionString(), bad);
    ZSTD_freeCCtx(in), ZSTD_freeDCtx(out);
    return bad;
}
