/* Compresses generated data at several levels and strategies, decompresses it in small pieces, and compares. */
#include "zlib.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 300000 };
static unsigned char data[SIZE], packed[SIZE + SIZE / 2], unpacked[SIZE];

static void generate(int kind) {
    unsigned long state = 12345;
    for (int i = 0; i < SIZE; i++) {
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        data[i] = kind == 0 ? (unsigned char)"abracadabra"[i % 11] : (unsigned char)(state >> 60 >> (kind == 1 ? 2 : 0));
        if (kind == 2)
            data[i] = (unsigned char)(state >> 56);
    }
}

static int round_trip(int level, int strategy) {
    z_stream out = {0}, in = {0};
    deflateInit2(&out, level, Z_DEFLATED, 15 + 16, 8, strategy);
    // The same system whatever this is compiled for.
    gz_header header = {.os = 3};
    deflateSetHeader(&out, &header);
    out.next_in = data, out.avail_in = SIZE;
    out.next_out = packed, out.avail_out = sizeof packed;
    int code = deflate(&out, Z_FINISH);
    printf("level %d strategy %d: %d, %lu bytes, crc %lx\n", level, strategy, code, out.total_out,
           crc32(0, packed, (unsigned)out.total_out));
    inflateInit2(&in, 15 + 32);
    in.next_out = unpacked, in.avail_out = SIZE;
    for (unsigned long at = 0; at < out.total_out && code == Z_STREAM_END; at += 997) {
        in.next_in = packed + at;
        in.avail_in = out.total_out - at < 997 ? (unsigned)(out.total_out - at) : 997;
        int step = inflate(&in, Z_NO_FLUSH);
        if (step != Z_OK && step != Z_STREAM_END)
            return printf("inflate: %d %s\n", step, in.msg ? in.msg : "") > 0;
    }
    int bad = in.total_out != SIZE || memcmp(data, unpacked, SIZE);
    deflateEnd(&out), inflateEnd(&in);
    return bad;
}

int main(void) {
    int bad = 0;
    for (int kind = 0; kind < 3; kind++) {
        generate(kind);
        printf("kind %d: adler %lx crc %lx\n", kind, adler32(1, data, SIZE), crc32(0, data, SIZE));
        for (int level = 0; level <= 9; level += 3)
            bad += round_trip(level, level == 6 ? Z_FILTERED : level == 9 ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY);
    }
    packed[100] ^= 0x55;
    uLongf size = SIZE;
    printf("damaged: %d\n", uncompress(unpacked, &size, packed, 5000) != Z_OK);
    printf("%s, %d bad\n", zlibVersion(), bad);
    return bad;
}
