/* Runs the SQL script named by the first argument, statement by statement, and prints every row and every error. */
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    text[fread(text, 1, (size_t)size, file)] = 0;
    fclose(file);
    return text;
}

static void twice(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
}

static int by_length(void *unused, int a_size, const void *a, int b_size, const void *b) {
    (void)unused;
    int order = a_size - b_size;
    return order ? order : memcmp(a, b, (size_t)a_size);
}

static void print_row(sqlite3_stmt *statement) {
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const unsigned char *text = sqlite3_column_text(statement, i);
        printf("%s%s", i ? "|" : "", text ? (const char *)text : "NULL");
    }
    putchar('\n');
}

int main(int argc, char **argv) {
    sqlite3 *db;
    char *script = argc > 1 ? read_file(argv[1]) : NULL;
    if (!script || sqlite3_open(":memory:", &db))
        return 2;
    sqlite3_create_function(db, "twice", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, twice, NULL, NULL);
    sqlite3_create_collation(db, "by_length", SQLITE_UTF8, NULL, by_length);
    int errors = 0;
    for (const char *rest = script, *begin = NULL; *rest && rest != begin;) {
        begin = rest;
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(db, rest, -1, &statement, &rest);
        while (statement && (code = sqlite3_step(statement)) == SQLITE_ROW)
            print_row(statement);
        if (code != SQLITE_OK && code != SQLITE_DONE) {
            printf("error: %s\n", sqlite3_errmsg(db));
            errors++;
        }
        sqlite3_finalize(statement);
    }
    printf("%s, %d errors, %d changes\n", sqlite3_libversion(), errors, sqlite3_total_changes(db));
    sqlite3_close(db);
    free(script);
    return errors;
}
