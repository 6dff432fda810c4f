/* SPDX-License-Identifier: Apache-2.0 */
#include "includes.h"

#include "lines.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FOLDERS = 64, MAX_DEPTH = 32, MAX_SIZE = 16 << 20 };

struct text {
    char *data;
    size_t size, room;
    bool failed;
};

struct search {
    char *folders[MAX_FOLDERS];
    unsigned count, found;
    struct text out;
};

/* A file, and the one that includes it. */
struct file {
    const char *path;
    const struct file *outer;
    unsigned depth;
};

static void put(struct text *text, const char *data, size_t size)
{
    if (text->failed || size > MAX_SIZE - text->size) {
        text->failed = true;
        return;
    }
    if (text->size + size + 1 > text->room) {
        size_t room = 2 * (text->size + size + 1);
        char *larger = realloc(text->data, room);

        if (!larger) {
            text->failed = true;
            return;
        }
        text->data = larger;
        text->room = room;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

/* The next word of options; quotes keep blanks together. */
static const char *next_word(const char *next, char *word, size_t room)
{
    size_t size = 0;
    char quote = 0;

    while (isspace((unsigned char)*next))
        next++;
    for (; *next && (quote || !isspace((unsigned char)*next)); next++) {
        if (!quote && (*next == '"' || *next == '\''))
            quote = *next;
        else if (quote && *next == quote)
            quote = 0;
        else if (size + 1 < room)
            word[size++] = *next;
    }
    word[size] = 0;
    return next;
}

static void find_folders(struct search *search, const char *options)
{
    char word[PATH_MAX];

    while (*(options = next_word(options, word, sizeof word)) || *word) {
        const char *folder = word + 2;

        if (strncmp(word, "-I", 2))
            continue;
        if (!*folder) {
            options = next_word(options, word, sizeof word);
            folder = word;
        }
        if (*folder && search->count < MAX_FOLDERS)
            search->folders[search->count++] = strdup(folder);
    }
}

static char *read_file(const char *path)
{
    FILE *stream = fopen(path, "rb");
    char *content = NULL;
    size_t size;

    if (!stream)
        return NULL;
    content = malloc(MAX_SIZE + 1);
    size = content ? fread(content, 1, MAX_SIZE, stream) : 0;
    if (content) {
        char *fit;

        content[size] = 0;
        fit = realloc(content, size + 1);
        content = fit ? fit : content;
    }
    fclose(stream);
    return content;
}

static bool is_open(const struct file *file, const char *path)
{
    for (; file; file = file->outer)
        if (!strcmp(file->path, path))
            return true;
    return false;
}

/* Find a file beside the one that includes it, or in the folders. */
static char *open_file(const struct search *search, const struct file *from, const char *name,
                       int size, bool quoted, char *path)
{
    char *content;

    if (*name == '/') {
        snprintf(path, PATH_MAX, "%.*s", size, name);
        return read_file(path);
    }
    if (quoted) { /* the source itself counts as a file of the working directory */
        const char *end = strrchr(from->path, '/');

        snprintf(path, PATH_MAX, "%.*s/%.*s", end ? (int)(end - from->path) : 1,
                 end ? from->path : ".", size, name);
        content = read_file(path);
        if (content)
            return content;
    }
    for (unsigned i = 0; i < search->count; i++) {
        if (!search->folders[i])
            continue;
        snprintf(path, PATH_MAX, "%s/%.*s", search->folders[i], size, name);
        content = read_file(path);
        if (content)
            return content;
    }
    return NULL;
}

static void mark(struct search *search, unsigned line, const char *path)
{
    char text[PATH_MAX + 32];
    int size = snprintf(text, sizeof text, "\n#line %u \"%s\"\n", line, path);

    put(&search->out, text, (size_t)size);
}

static void expand(struct search *search, const struct file *file, const char *text);

/* Put a file in place; the compiler sees no file, so a guard does what `#pragma once` says. */
static void put_file(struct search *search, const struct file *file, const char *content)
{
    bool once = text_says_once(content);

    if (once) {
        char real[PATH_MAX], guard[128];
        unsigned long long hash = 0xcbf29ce484222325; /* FNV-1a */

        for (const char *next = realpath(file->path, real) ? real : file->path; *next; next++)
            hash = (hash ^ (unsigned char)*next) * 0x100000001b3;
        snprintf(guard, sizeof guard,
                 "\n#ifndef FPGA_NOVA_ONCE_%llx\n#define FPGA_NOVA_ONCE_%llx", hash, hash);
        put(&search->out, guard, strlen(guard));
    }
    mark(search, 1, file->path);
    expand(search, file, content);
    if (once)
        put(&search->out, "\n#endif", 7);
}

static bool put_in_place(struct search *search, const struct file *file, const char *line)
{
    char path[PATH_MAX];
    size_t size = 0;
    bool quoted = false;
    const char *name = line_includes(line, &size, &quoted);
    char *content;

    if (!name || size > NAME_MAX * 4 || file->depth >= MAX_DEPTH)
        return false;
    content = open_file(search, file, name, (int)size, quoted, path);
    if (!content)
        return false;
    search->found++;
    if (!is_open(file, path)) { /* else its guard would leave it out */
        struct file inner = {path, file, file->depth + 1};

        put_file(search, &inner, content);
    }
    free(content);
    return true;
}

static void expand(struct search *search, const struct file *file, const char *text)
{
    bool comment = false;

    for (unsigned number = 1; *text && !search->out.failed; number++) {
        const char *end = strchr(text, '\n');
        size_t size = end ? (size_t)(end - text + 1) : strlen(text);

        if (!comment && put_in_place(search, file, text)) {
            mark(search, number + 1, file->path);
        } else if (!comment && file->outer && line_says_once(text)) {
            put(&search->out, "\n", 1); /* its guard is there */
        } else {
            put(&search->out, text, size);
            comment = line_leaves_comment(text, size, comment);
        }
        text += size;
    }
}

char *includes_expand(const char *source, const char *options)
{
    struct search search = {.count = 0};
    struct file file = {"source", NULL, 0};

    if (!strstr(source, "include"))
        return NULL;
    if (options)
        find_folders(&search, options);
    expand(&search, &file, source);
    for (unsigned i = 0; i < search.count; i++)
        free(search.folders[i]);
    if (search.found && !search.out.failed)
        return search.out.data;
    free(search.out.data);
    return NULL;
}
