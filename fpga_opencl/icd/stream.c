/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring.h"

enum { BUFFER = 1 << 16, SOCKET_BUFFER = 4 << 20, PAUSE = 10 /* ms */ };

static int descriptor = -1, bell = -1;
static char out[BUFFER], in[BUFFER];
static size_t out_size, in_start, in_end;
/* Where the other side has given rings, everything after the first request goes through them. */
static bool begun, ringed;
static struct ring outgoing, incoming;

bool stream_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = SOCKET_BUFFER;

    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path));
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address)) {
        stream_close();
        return false;
    }
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return true;
}

void stream_close(void)
{
    if (descriptor >= 0)
        close(descriptor);
    if (bell >= 0)
        close(bell);
    descriptor = bell = -1;
}

static ssize_t receive_some(char *place, size_t size)
{
    ssize_t count;

    do
        count = recv(descriptor, place, size, 0);
    while (count < 0 && errno == EINTR);
    return count;
}

/* Receive what comes first: content, or rings. */
static bool begin(void)
{
    union {
        char space[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec place = {in, BUFFER};
    struct msghdr message = {.msg_iov = &place,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *about;
    ssize_t count;
    int found[2];

    do
        count = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    /* A program that may not have these descriptors, or any more, gets none. */
    if (count <= 0 || message.msg_flags & MSG_CTRUNC)
        return false;
    about = CMSG_FIRSTHDR(&message);
    if (about && about->cmsg_len == CMSG_LEN(sizeof found)) {
        memcpy(found, CMSG_DATA(about), sizeof found);
        bell = found[0];
        ringed = ring_open(found[1], descriptor, &outgoing, bell, &incoming);
        close(found[1]);
        begun = ringed;
    } else {
        in_end = (size_t)count;
        begun = true;
    }
    return begun;
}

static bool take(char *next, size_t size)
{
    while (size) {
        size_t count = ring_take(&incoming, next, size);

        if (!count && !ring_hear(&incoming, true))
            return false;
        if (next)
            next += count;
        size -= count;
    }
    return true;
}

bool stream_holds(void)
{
    struct pollfd poller = {bell, 0, 0};

    return !ringed || poll(&poller, 1, 0) <= 0; /* a signal is no end */
}

bool stream_ready(void)
{
    struct pollfd poller = {ringed ? bell : descriptor, POLLIN, 0};

    return (ringed ? incoming.count > 0 : in_start < in_end) || poll(&poller, 1, 0) > 0;
}

bool stream_receive(void *place, size_t size)
{
    char *next = place;

    if (!begun && !begin())
        return false;
    if (ringed)
        return take(next, size);
    while (size) {
        size_t count = in_end - in_start < size ? in_end - in_start : size;

        if (!count && next && size >= BUFFER) { /* large content skips the buffer */
            ssize_t some = receive_some(next, size);

            if (some <= 0)
                return false;
            count = (size_t)some;
        } else if (!count) {
            ssize_t some = receive_some(in, BUFFER);

            if (some <= 0)
                return false;
            in_start = 0;
            in_end = (size_t)some;
            continue;
        } else {
            if (next)
                memcpy(next, in + in_start, count);
            in_start += count;
        }
        if (next)
            next += count;
        size -= count;
    }
    return true;
}

/* Receive for another thread, or wait a while for either way to move. */
static void pause_sending(short events, bool (*drain)(void))
{
    struct pollfd pollers[] = {{descriptor, events, 0}, {bell, POLLIN, 0}};

    if (!drain())
        poll(pollers, 2, PAUSE);
}

static bool send_all(const char *data, size_t size, bool (*drain)(void))
{
    while (size) {
        ssize_t count = send(descriptor, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EAGAIN)
            pause_sending(POLLIN | POLLOUT, drain);
        else if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            data += count;
            size -= (size_t)count;
        }
    }
    return true;
}

static bool put(const char *data, size_t size, bool (*drain)(void))
{
    while (size) {
        size_t count = ring_put(&outgoing, data, size);

        data += count;
        size -= count;
        if (outgoing.count)
            continue;
        if (!ring_report(&outgoing) || !ring_hear(&outgoing, false))
            return false;
        if (size && !outgoing.count)
            pause_sending(POLLIN, drain);
    }
    return true;
}

bool stream_flush(bool (*drain)(void))
{
    size_t size = out_size;

    out_size = 0;
    if (!ringed)
        return send_all(out, size, drain);
    while (ring_report(&outgoing)) {
        if (!outgoing.unreported)
            return true;
        pause_sending(POLLOUT, drain);
    }
    return false;
}

bool stream_send(const void *data, size_t size, bool (*drain)(void))
{
    if (ringed)
        return put(data, size, drain);
    if (out_size + size > BUFFER && !stream_flush(drain))
        return false;
    if (size > BUFFER / 2)
        return (!out_size || stream_flush(drain)) && send_all(data, size, drain);
    if (size)
        memcpy(out + out_size, data, size);
    out_size += size;
    return true;
}

size_t stream_unsent(void)
{
    return ringed ? outgoing.unreported : out_size;
}
