/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER = 1 << 16, SOCKET_BUFFER = 4 << 20, PAUSE = 10 /* ms */ };

static int descriptor = -1;
static char out[BUFFER], in[BUFFER];
static size_t out_size, in_start, in_end;

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
    descriptor = -1;
}

static ssize_t receive_some(char *place, size_t size)
{
    ssize_t count;

    do
        count = recv(descriptor, place, size, 0);
    while (count < 0 && errno == EINTR);
    return count;
}

bool stream_receive(void *place, size_t size)
{
    char *next = place;

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

static bool send_all(const char *data, size_t size, void (*drain)(void))
{
    while (size) {
        ssize_t count = send(descriptor, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EAGAIN) {
            struct pollfd poller = {descriptor, POLLIN | POLLOUT, 0};

            if (poll(&poller, 1, PAUSE) > 0 && !(poller.revents & POLLOUT))
                drain();
            continue;
        }
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            data += count;
            size -= (size_t)count;
        }
    }
    return true;
}

bool stream_flush(void (*drain)(void))
{
    size_t size = out_size;

    out_size = 0;
    return send_all(out, size, drain);
}

bool stream_send(const void *data, size_t size, void (*drain)(void))
{
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
    return out_size;
}
