/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "wire.h"

cl_int info_give(struct result result, const void *value, size_t size)
{
    if (result.size)
        *result.size = size;
    if (!result.place)
        return CL_SUCCESS;
    if (result.room < size)
        return CL_INVALID_VALUE;
    if (size)
        memcpy(result.place, value, size);
    return CL_SUCCESS;
}

cl_int info_text(struct result result, const char *text)
{
    return info_give(result, text, strlen(text) + 1);
}

cl_int info_ask(struct result result, uint32_t query, uint32_t parameter, const void *object,
                uint64_t second)
{
    struct query_message message = {query, parameter, object_id(object), second};
    struct part parts[] = {{&message, sizeof message}};
    struct content content;
    cl_int status = wire_ask(MESSAGE_QUERY, parts, 1, &content);

    if (status)
        return status;
    status = info_give(result, content.data, content.size);
    free(content.data);
    return status;
}
