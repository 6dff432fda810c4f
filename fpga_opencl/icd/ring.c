/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { NUMBERS = 64 };

bool ring_open(int memory, int bell, struct ring *put, int other_bell, struct ring *take)
{
    struct stat about;
    char *place;
    size_t size;

    if (fstat(memory, &about) || about.st_size < 2)
        return false;
    size = (size_t)about.st_size / 2;
    place = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (place == MAP_FAILED)
        return false;
    *put = (struct ring){.memory = place, .size = size, .count = size, .bell = bell};
    *take = (struct ring){.memory = place + size, .size = size, .bell = other_bell};
    return true;
}

bool ring_hear(struct ring *ring, bool wait)
{
    uint32_t numbers[NUMBERS];
    ssize_t count;

    do
        count = recv(ring->bell, numbers, sizeof numbers, wait ? 0 : MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return !wait && errno == EAGAIN;
    if (!count || count % (ssize_t)sizeof *numbers)
        return false;
    for (size_t i = 0; i < (size_t)count / sizeof *numbers; i++) {
        if (!numbers[i] || numbers[i] > ring->size - ring->count - ring->unreported)
            return false;
        ring->count += numbers[i];
    }
    return true;
}

bool ring_report(struct ring *ring)
{
    uint32_t number = (uint32_t)ring->unreported;

    if (number && send(ring->bell, &number, sizeof number, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return errno == EAGAIN || errno == EINTR;
    ring->unreported = 0;
    return true;
}

/* A part of the ring that is this side's, `*size` bytes of it at most. */
static char *piece(const struct ring *ring, size_t *size)
{
    if (*size > ring->count)
        *size = ring->count;
    if (*size > ring->size - ring->start)
        *size = ring->size - ring->start;
    return ring->memory + ring->start;
}

static void use(struct ring *ring, size_t count)
{
    ring->start = (ring->start + count) % ring->size;
    ring->count -= count;
    ring->unreported += count;
    if (ring->unreported >= ring->size / 4) /* each report may wake the other side up */
        ring_report(ring);
}

size_t ring_put(struct ring *ring, const char *content, size_t size)
{
    char *place = piece(ring, &size);

    memcpy(place, content, size);
    use(ring, size);
    return size;
}

size_t ring_take(struct ring *ring, char *place, size_t size)
{
    const char *content = piece(ring, &size);

    if (place)
        memcpy(place, content, size);
    use(ring, size);
    return size;
}
