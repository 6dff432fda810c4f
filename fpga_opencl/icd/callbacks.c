/* SPDX-License-Identifier: Apache-2.0 */
#include "callbacks.h"

cl_int callbacks_add(struct callback **list, callback_function function, void *data)
{
    struct callback *callback;

    if (!function)
        return CL_INVALID_VALUE;
    callback = malloc(sizeof *callback);
    if (!callback)
        return CL_OUT_OF_HOST_MEMORY;
    *callback = (struct callback){function, data, *list};
    *list = callback;
    return CL_SUCCESS;
}

void callbacks_run(struct callback *list, void *object)
{
    while (list) {
        struct callback *next = list->next;

        list->function(object, list->data);
        free(list);
        list = next;
    }
}
