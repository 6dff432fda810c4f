/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <string.h>

/* What follows a word of a line, and blanks; NULL if something else is there. */
static const char *after(const char *line, const char *word)
{
    size_t size = strlen(word);

    if (!line || strncmp(line, word, size))
        return NULL;
    return line + size + strspn(line + size, " \t");
}

const char *line_includes(const char *line, size_t *size, bool *quoted)
{
    const char *end;

    line = after(after(after(line, ""), "#"), "include");
    if (!line || (*line != '"' && *line != '<'))
        return NULL;
    *quoted = *line == '"';
    end = strpbrk(line + 1, *quoted ? "\"\n" : ">\n");
    if (!end || *end == '\n' || end == line + 1)
        return NULL;
    *size = (size_t)(end - line - 1);
    return line + 1;
}

bool line_says_once(const char *line)
{
    line = after(after(after(after(line, ""), "#"), "pragma"), "once");
    return line && (!*line || strchr("\r\n", *line) || !strncmp(line, "//", 2));
}

bool line_leaves_comment(const char *line, size_t size, bool open)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (!open && line[i] == '/' && line[i + 1] == '/')
            return false;
        if (line[i] == (open ? '*' : '/') && line[i + 1] == (open ? '/' : '*')) {
            open = !open;
            i++;
        }
    }
    return open;
}

bool text_says_once(const char *text)
{
    bool comment = false;

    while (*text) {
        size_t size = strcspn(text, "\n");

        if (!comment && line_says_once(text))
            return true;
        comment = line_leaves_comment(text, size, comment);
        text += size + (text[size] != 0);
    }
    return false;
}
