/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses an FPGA region from inside a container: sends standard input to the region's socket, tells
 * it that this was all, and copies the answer to standard output.
 *
 *     fpga-client /dev/fpga0 < input > output
 *
 * Exit status: 0 done, 1 the region cannot be reached or gave up, 2 wrong usage.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SIZE = 65536 };

struct buffer {
    char data[SIZE];
    size_t start, end;
    int used; /* whether anything was ever in it */
};

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "fpga-client: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int region = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (region < 0)
        fail("cannot make a socket for", path);
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail("cannot reach", path);
    }
    strcpy(address.sun_path, path);
    while (connect(region, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: its queue is full */
            fail("cannot reach", path);
        poll(NULL, 0, 50);
    }
    return region;
}

static int again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Pass on a part of what was read from standard input; 1 while there is more. */
static int send_part(int region, struct buffer *input, const char *path)
{
    ssize_t done;

    if (input->start == input->end) {
        done = read(STDIN_FILENO, input->data, SIZE);
        if (done < 0 && again())
            return 1;
        if (done < 0)
            fail("cannot read what to send to", path);
        if (done == 0) {
            if (shutdown(region, SHUT_WR) < 0)
                fail("cannot end the input of", path);
            return 0;
        }
        input->start = 0;
        input->end = (size_t)done;
        input->used = 1;
    }
    done = send(region, input->data + input->start, input->end - input->start, MSG_NOSIGNAL);
    if (done < 0 && !again())
        fail("cannot send to", path);
    if (done > 0)
        input->start += (size_t)done;
    return 1;
}

/* Copy a part of the answer; its length, 0 at the end, -1 if there is none yet. */
static ssize_t copy_part(int region, const char *path)
{
    static char data[SIZE];
    ssize_t count = recv(region, data, SIZE, 0), done, written = 0;

    if (count < 0) {
        if (!again())
            fail("cannot receive from", path);
        return -1;
    }
    while (written < count) {
        done = write(STDOUT_FILENO, data + written, (size_t)(count - written));
        if (done < 0 && errno != EINTR)
            fail("cannot write what came from", path);
        if (done > 0)
            written += done;
    }
    return count;
}

int main(int argc, char **argv)
{
    static struct buffer input;
    unsigned long long total = 0;
    ssize_t count;
    int sending = 1, region;

    if (argc != 2) {
        fprintf(stderr, "usage: fpga-client DEVICE < input > output\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    region = reach(argv[1]);
    for (;;) {
        int full = input.start != input.end;
        struct pollfd files[2] = {
            {.fd = region, .events = (short)(POLLIN | (full ? POLLOUT : 0))},
            {.fd = sending && !full ? STDIN_FILENO : -1, .events = POLLIN},
        };

        if (poll(files, 2, -1) < 0 && errno != EINTR)
            fail("cannot wait for", argv[1]);
        if (sending && (files[1].revents || files[0].revents & POLLOUT))
            sending = send_part(region, &input, argv[1]);
        if (!(files[0].revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        count = copy_part(region, argv[1]);
        if (count == 0)
            break;
        if (count > 0)
            total += (unsigned long long)count;
    }
    if (sending || (input.used && total == 0)) {
        fprintf(stderr, "fpga-client: %s ended without %s\n", argv[1],
                sending ? "taking all of the input" : "an answer; its input may be too large");
        return 1;
    }
    return 0;
}
