/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <pthread.h>

#include "api.h"
#include "info.h"
#include "wire.h"

cl_event event_new(cl_context context, cl_command_queue queue, cl_command_type type)
{
    cl_event event = object_new(KIND_EVENT, sizeof *event);

    if (!event)
        return NULL;
    event->context = context;
    event->queue = queue;
    event->type = type;
    object_retain(context);
    if (queue)
        object_retain(queue);
    return event;
}

void event_free(cl_event event)
{
    if (event->queue)
        icd_clReleaseCommandQueue(event->queue);
    icd_clReleaseContext(event->context);
    object_forget(event);
}

static cl_int check_list(cl_uint count, const cl_event *list, bool *complete)
{
    *complete = true;
    if (!count || !list)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_is(list[i], KIND_EVENT))
            return CL_INVALID_EVENT;
        if (list[i]->context != list[0]->context)
            return CL_INVALID_CONTEXT;
        *complete &= list[i]->complete;
    }
    return CL_SUCCESS;
}

static cl_int wait_for(cl_uint count, const cl_event *list,
                       cl_int (*ask)(uint16_t, const struct part *, unsigned))
{
    uint64_t *ids = malloc(count * sizeof *ids);
    struct part parts[] = {{ids, count * sizeof *ids}};
    cl_int status;

    if (!ids)
        return CL_OUT_OF_HOST_MEMORY;
    for (cl_uint i = 0; i < count; i++)
        ids[i] = list[i]->object.id;
    status = ask(MESSAGE_WAIT, parts, 1);
    free(ids);
    for (cl_uint i = 0; i < count && !status; i++)
        list[i]->complete = true;
    return status;
}

cl_int CL_API_CALL icd_clWaitForEvents(cl_uint num_events, const cl_event *event_list)
{
    bool complete;
    cl_int status = check_list(num_events, event_list, &complete);

    return status || complete ? status : wait_for(num_events, event_list, wire_call);
}

cl_int CL_API_CALL icd_clGetEventInfo(cl_event event, cl_event_info param_name,
                                      size_t param_value_size, void *param_value,
                                      size_t *param_value_size_ret)
{
    if (!object_is(event, KIND_EVENT))
        return CL_INVALID_EVENT;
    switch (param_name) {
    case CL_EVENT_COMMAND_QUEUE:
        return INFO_VALUE(cl_command_queue, event->queue);
    case CL_EVENT_CONTEXT:
        return INFO_VALUE(cl_context, event->context);
    case CL_EVENT_COMMAND_TYPE:
        return INFO_VALUE(cl_command_type, event->type);
    case CL_EVENT_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, event->object.references);
    case CL_EVENT_COMMAND_EXECUTION_STATUS:
        if (event->complete)
            return INFO_VALUE(cl_int, CL_COMPLETE);
        break;
    default:
        return CL_INVALID_VALUE;
    }
    return info_ask(INFO_RESULT, QUERY_EVENT, param_name, event, 0);
}

cl_int CL_API_CALL icd_clGetEventProfilingInfo(cl_event event, cl_profiling_info param_name,
                                               size_t param_value_size, void *param_value,
                                               size_t *param_value_size_ret)
{
    if (!object_is(event, KIND_EVENT))
        return CL_INVALID_EVENT;
    if (!event->queue)
        return CL_PROFILING_INFO_NOT_AVAILABLE;
    return info_ask(INFO_RESULT, QUERY_PROFILE, param_name, event, 0);
}

cl_int CL_API_CALL icd_clRetainEvent(cl_event event)
{
    if (!object_is(event, KIND_EVENT))
        return CL_INVALID_EVENT;
    object_retain(event);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseEvent(cl_event event)
{
    if (!object_is(event, KIND_EVENT))
        return CL_INVALID_EVENT;
    if (object_release(event))
        event_free(event);
    return CL_SUCCESS;
}

cl_event CL_API_CALL icd_clCreateUserEvent(cl_context context, cl_int *errcode_ret)
{
    cl_event event = NULL;
    cl_int status = CL_INVALID_CONTEXT;

    if (object_is(context, KIND_CONTEXT)) {
        event = event_new(context, NULL, CL_COMMAND_USER);
        status = CL_OUT_OF_HOST_MEMORY;
    }
    if (event) {
        struct create_user_event_message message = {event->object.id, context->object.id};
        struct part parts[] = {{&message, sizeof message}};

        status = wire_call(MESSAGE_CREATE_USER_EVENT, parts, 1);
    }
    set_error(errcode_ret, status);
    if (!status)
        return event;
    if (event)
        event_free(event);
    return NULL;
}

cl_int CL_API_CALL icd_clSetUserEventStatus(cl_event event, cl_int execution_status)
{
    struct set_user_event_message message = {object_id(event), execution_status, 0};
    struct part parts[] = {{&message, sizeof message}};

    if (!object_is(event, KIND_EVENT) || event->queue)
        return CL_INVALID_EVENT;
    if (execution_status > 0)
        return CL_INVALID_VALUE;
    return wire_call(MESSAGE_SET_USER_EVENT, parts, 1);
}

struct notice {
    cl_event event;
    cl_int type;
    void(CL_CALLBACK *function)(cl_event, cl_int, void *);
    void *data;
};

static void *notify(void *argument)
{
    struct notice *notice = argument;
    cl_int status = 0;

    if (wait_for(1, &notice->event, wire_await) &&
        (icd_clGetEventInfo(notice->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status,
                            &status, NULL) ||
         status >= 0))
        status = CL_DEVICE_NOT_AVAILABLE;
    notice->function(notice->event, status < 0 ? status : notice->type, notice->data);
    icd_clReleaseEvent(notice->event);
    free(notice);
    return NULL;
}

cl_int CL_API_CALL icd_clSetEventCallback(cl_event event, cl_int type,
                                          void(CL_CALLBACK *pfn_notify)(cl_event, cl_int, void *),
                                          void *user_data)
{
    struct notice *notice;
    pthread_t thread;

    if (!object_is(event, KIND_EVENT))
        return CL_INVALID_EVENT;
    if (!pfn_notify || (type != CL_SUBMITTED && type != CL_RUNNING && type != CL_COMPLETE))
        return CL_INVALID_VALUE;
    notice = malloc(sizeof *notice);
    if (!notice)
        return CL_OUT_OF_HOST_MEMORY;
    *notice = (struct notice){event, type, pfn_notify, user_data};
    object_retain(event);
    if (pthread_create(&thread, NULL, notify, notice)) {
        icd_clReleaseEvent(event);
        free(notice);
        return CL_OUT_OF_RESOURCES;
    }
    pthread_detach(thread);
    return CL_SUCCESS;
}
