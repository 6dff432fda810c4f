/* SPDX-License-Identifier: Apache-2.0 */
/* Of the threads that wait for replies one receives, for all of them. A thread that cannot send
 * receives as well: the worker may be waiting for its replies to be taken. */
#include "wire.h"

#include <pthread.h>
#include <stdio.h>

#include "stream.h"

enum { AHEAD = 2048 }; /* bytes of posted messages that are held back */

struct waiter {
    uint32_t sequence;
    const struct target *target;
    struct content *content;
    struct target copy; /* of one that nobody waits for */
    cl_int status;
    bool done, later;
    struct waiter *next;
};

static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER; /* after `sending` where both are held */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct waiter *waiters;
static bool receiving;
static atomic_bool connected, lost;
static uint32_t last_sequence;

static void forked(void)
{
    /* The session is the parent's. */
    stream_close();
    lost = true;
}

static void connect_once(void)
{
    const char *path = getenv("FPGA_OPENCL_SOCKET");

    connected = stream_connect(path ? path : "/dev/opencl0");
    pthread_atfork(NULL, NULL, forked);
}

bool wire_connect(void)
{
    pthread_once(&once, connect_once);
    return connected;
}

static struct waiter *find(uint32_t sequence)
{
    struct waiter *waiter;

    pthread_mutex_lock(&table);
    /* One that is done may leave at any moment; a second reply for it is not for anybody. */
    for (waiter = waiters; waiter && (waiter->done || waiter->sequence != sequence);
         waiter = waiter->next)
        ;
    pthread_mutex_unlock(&table);
    return waiter;
}

static void unlink_waiter(const struct waiter *waiter)
{
    struct waiter **place;

    for (place = &waiters; *place && *place != waiter; place = &(*place)->next)
        ;
    if (*place)
        *place = waiter->next;
}

static bool receive_rows(const struct target *target, size_t size)
{
    if (size != target->width * target->height * target->depth)
        return false;
    for (size_t z = 0; z < target->depth; z++)
        for (size_t y = 0; y < target->height; y++)
            if (!stream_receive(target->data + z * target->slice_pitch + y * target->row_pitch,
                                target->width))
                return false;
    return true;
}

static bool receive_content(struct content *content, size_t size)
{
    content->data = malloc(size + 1);
    if (!content->data)
        return false;
    content->data[size] = 0;
    content->size = size;
    return stream_receive(content->data, size);
}

static bool show_output(size_t size)
{
    char text[4096];

    while (size) {
        size_t count = size < sizeof text ? size : sizeof text;

        if (!stream_receive(text, count) || !stream_holds())
            return false;
        fwrite(text, 1, count, stdout);
        size -= count;
    }
    fflush(stdout);
    return true;
}

static bool receive_reply(void)
{
    struct reply_header header;
    struct waiter *waiter;
    bool good;

    if (!stream_receive(&header, sizeof header) || !stream_holds())
        return false;
    if (!header.sequence)
        return header.length <= LIMIT_OUTPUT && show_output(header.length);
    waiter = find(header.sequence);
    if (!waiter)
        return false; /* not a worker that keeps to the protocol */
    if (waiter->target && !header.status)
        good = receive_rows(waiter->target, header.length);
    else if (waiter->content && !header.status && header.length <= LIMIT_CONTROL)
        good = receive_content(waiter->content, header.length);
    else
        good = header.length <= LIMIT_CONTROL && stream_receive(NULL, header.length);
    if (!good || (header.length && !stream_holds()))
        return false; /* nobody may take it for a reply */
    pthread_mutex_lock(&table);
    waiter->status = header.status;
    waiter->done = true;
    if (waiter->later) {
        unlink_waiter(waiter);
        free(waiter);
    }
    pthread_mutex_unlock(&table);
    return true;
}

/* Receive one reply, with `table` held; it is not while receiving. */
static void receive_one(void)
{
    bool good;

    receiving = true;
    pthread_mutex_unlock(&table);
    good = receive_reply();
    pthread_mutex_lock(&table);
    if (!good)
        lost = true;
    receiving = false;
    pthread_cond_broadcast(&changed);
}

/* Receive one reply if there is one and nobody does already; whether that was so. */
static bool drain(void)
{
    bool ready;

    pthread_mutex_lock(&table);
    ready = !receiving && !lost && stream_ready();
    if (ready)
        receive_one();
    pthread_mutex_unlock(&table);
    return ready;
}

static bool transmit(uint16_t number, uint16_t flags, uint32_t sequence, const struct part *parts,
                     unsigned count)
{
    struct request_header header = {number, flags, sequence, 0};

    for (unsigned i = 0; i < count; i++)
        header.length += parts[i].size;
    if (!stream_send(&header, sizeof header, drain))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!stream_send(parts[i].data, parts[i].size, drain))
            return false;
    return flags || stream_unsent() > AHEAD ? stream_flush(drain) : true;
}

/* Send a message; with a waiter, its reply is awaited. */
static cl_int submit(uint16_t number, uint16_t flags, const struct part *parts, unsigned count,
                     struct waiter *waiter)
{
    cl_int status = CL_SUCCESS;
    uint32_t sequence;

    if (!connected || lost)
        return CL_DEVICE_NOT_AVAILABLE;
    pthread_mutex_lock(&sending);
    if (!++last_sequence)
        ++last_sequence;
    sequence = last_sequence;
    if (waiter) {
        pthread_mutex_lock(&table);
        waiter->sequence = sequence;
        waiter->next = waiters;
        waiters = waiter;
        pthread_mutex_unlock(&table);
    }
    if (lost || !transmit(number, flags, sequence, parts, count)) {
        lost = true;
        status = CL_DEVICE_NOT_AVAILABLE;
    }
    pthread_mutex_unlock(&sending);
    return status;
}

static cl_int converse(uint16_t number, uint16_t flags, const struct part *parts, unsigned count,
                       const struct target *target, struct content *content)
{
    struct waiter waiter = {.target = target, .content = content};
    cl_int status = submit(number, flags, parts, count, &waiter);

    pthread_mutex_lock(&table);
    while (!waiter.done && !lost) {
        if (receiving)
            pthread_cond_wait(&changed, &table);
        else
            receive_one();
    }
    /* Another thread may still be receiving to where this one's reply goes. */
    while (receiving && !waiter.done)
        pthread_cond_wait(&changed, &table);
    unlink_waiter(&waiter);
    pthread_mutex_unlock(&table);
    if (!waiter.done || lost)
        status = CL_DEVICE_NOT_AVAILABLE;
    return status ? status : waiter.status;
}

cl_int wire_call(uint16_t number, const struct part *parts, unsigned count)
{
    return converse(number, FLAG_ANSWER, parts, count, NULL, NULL);
}

cl_int wire_ask(uint16_t number, const struct part *parts, unsigned count,
                struct content *content)
{
    uint16_t flags = number == MESSAGE_HELLO ? FLAG_ANSWER | FLAG_RINGS : FLAG_ANSWER;
    cl_int status;

    *content = (struct content){NULL, 0};
    status = converse(number, flags, parts, count, NULL, content);
    if (status) {
        free(content->data);
        content->data = NULL;
    } else if (!content->data) {
        content->data = calloc(1, 1);
        status = content->data ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    }
    return status;
}

cl_int wire_read(uint16_t number, const struct part *parts, unsigned count,
                 const struct target *target)
{
    return converse(number, FLAG_ANSWER, parts, count, target, NULL);
}

cl_int wire_await(uint16_t number, const struct part *parts, unsigned count)
{
    return converse(number, FLAG_ANSWER | FLAG_BACKGROUND, parts, count, NULL, NULL);
}

cl_int wire_read_later(uint16_t number, const struct part *parts, unsigned count,
                       const struct target *target)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);
    cl_int status;

    if (!waiter)
        return CL_OUT_OF_HOST_MEMORY;
    waiter->copy = *target;
    waiter->target = &waiter->copy;
    waiter->later = true;
    status = submit(number, FLAG_ANSWER | FLAG_BACKGROUND, parts, count, waiter);
    /* On failure it stays where a thread may be receiving for it; nothing more is sent. */
    return status;
}

cl_int wire_post(uint16_t number, const struct part *parts, unsigned count)
{
    return submit(number, 0, parts, count, NULL);
}

cl_int wire_flush(void)
{
    cl_int status = CL_SUCCESS;

    pthread_mutex_lock(&sending);
    if (!connected || lost || !stream_flush(drain))
        status = CL_DEVICE_NOT_AVAILABLE;
    pthread_mutex_unlock(&sending);
    return status;
}
