/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

void pack_fill(struct box *box)
{
    if (!box->row_pitch)
        box->row_pitch = box->width;
    if (!box->slice_pitch)
        box->slice_pitch = box->row_pitch * box->height;
}

char *pack(const void *data, const struct box *box)
{
    char *content = malloc(box->width * box->height * box->depth + 1);
    char *next = content;

    for (size_t z = 0; content && z < box->depth; z++)
        for (size_t y = 0; y < box->height; y++) {
            memcpy(next, (const char *)data + z * box->slice_pitch + y * box->row_pitch,
                   box->width);
            next += box->width;
        }
    return content;
}

bool pack_three(void *to, const size_t *from)
{
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "messages have 64 bits");
    if (from)
        memcpy(to, from, 3 * sizeof *from);
    return from;
}
