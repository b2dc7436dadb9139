// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz corpus without a fuzzer: every file of the folder given goes once through the target.
// In a SOSIA_FUZZ build libFuzzer supplies main instead.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return -1;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fseek(f, 0, SEEK_SET);
    uint8_t *p = malloc(n > 0 ? (size_t)n : 1); // exact size, so that the sanitizer sees one byte too many
    size_t got = p && n > 0 ? fread(p, 1, (size_t)n, f) : 0;
    fclose(f);
    if (p) (void)LLVMFuzzerTestOneInput(p, got);
    free(p);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]), 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) return fprintf(stderr, "no corpus: %s\n", argv[1]), 1;
    long count = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        if (e->d_name[0] == '.') continue;
        if (snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name) >= (int)sizeof path) continue;
        if (replay(path) == 0) count++;
    }
    closedir(dir);
    printf("replayed %ld inputs\n", count);
    return count ? 0 : 1;
}
