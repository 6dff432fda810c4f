/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, counts and frees objects. Their ids are chosen here, so that nobody waits for one. */
#include "objects.h"
#include "wire.h"

#define MARK 0x46430000u /* "FC" */

static atomic_uint_least64_t last_id = 1000; /* devices have the numbers below */

void object_begin(struct object *object, uint32_t kind, uint64_t id)
{
    object->dispatch = &dispatch_table;
    object->mark = MARK | kind;
    object->references = 1;
    object->id = id;
}

uint64_t object_next_id(void)
{
    return ++last_id;
}

void *object_new(uint32_t kind, size_t size)
{
    struct object *object = calloc(1, size);

    if (object)
        object_begin(object, kind, object_next_id());
    return object;
}

void object_forget(void *object)
{
    if (object)
        ((struct object *)object)->mark = 0;
    free(object);
}

bool object_is(const void *handle, uint32_t kind)
{
    return handle && ((const struct object *)handle)->mark == (MARK | kind);
}

void object_retain(void *object)
{
    ((struct object *)object)->references++;
}

bool object_release(void *pointer)
{
    struct object *object = pointer;
    struct release_message message = {.kind = object->mark & 0xffff, .object = object->id};
    struct part parts[] = {{&message, sizeof message}};

    if (--object->references)
        return false;
    wire_post(MESSAGE_RELEASE, parts, 1);
    return true;
}

uint64_t object_id(const void *object)
{
    return object ? ((const struct object *)object)->id : 0;
}
