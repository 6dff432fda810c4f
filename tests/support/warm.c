/* SPDX-License-Identifier: Apache-2.0 */
/* A server that warms up: it computes a table in memory, and answers on TCP from it.
 *
 *     warm MEGABYTES ROUNDS PORT
 *
 * ROUNDS of a generator make each number of the table. A connection sends a word and gets a line:
 *
 *     look    the sum of a thousand numbers of the table
 *     sum     the sum of all
 *     write   changes the first number; the sum of all
 *     extend  doubles the table by realloc(3), with zeros; the sum of all
 *     drop    gives some pages back by madvise(2); how many of their bytes are zeros
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define DROPPED (16 * 4096)

static uint64_t *table;
static size_t count;

static uint64_t next(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

static uint64_t sum(size_t step)
{
	uint64_t found = 0;
	for (size_t at = 0; at < count; at += step)
		found = found * 31 + table[at];
	return found;
}

static uint64_t extend(void)
{
	uint64_t *new = realloc(table, 2 * count * sizeof *table);
	if (!new)
		return 0;
	table = new;
	memset(table + count, 0, count * sizeof *table);
	count *= 2;
	return sum(1);
}

static uint64_t drop(void)
{
	uintptr_t middle = (uintptr_t)(table + count / 2) & ~(uintptr_t)4095;
	uint64_t zeros = 0;
	if (madvise((void *)middle, DROPPED, MADV_DONTNEED))
		return 0;
	for (size_t at = 0; at < DROPPED; at++)
		zeros += ((volatile char *)middle)[at] == 0;
	return zeros;
}

static uint64_t answer(const char *word)
{
	if (!strncmp(word, "look", 4))
		return sum(count / 1000);
	if (!strncmp(word, "write", 5))
		table[0]++;
	if (!strncmp(word, "extend", 6))
		return extend();
	if (!strncmp(word, "drop", 4))
		return drop();
	return sum(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in place = { .sin_family = AF_INET };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 4)
		return 2;
	count = strtoul(argv[1], 0, 10) * 1000000 / sizeof *table;
	table = malloc(count * sizeof *table);
	if (!table)
		return 1;
	uint64_t x = 88172645463325252ull;
	for (size_t at = 0; at < count; at++) {
		for (long round = atol(argv[2]); round > 0; round--)
			x = next(x);
		table[at] = x;
	}
	place.sin_port = htons(atoi(argv[3]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&place, sizeof place) || listen(listener, 16))
		return 1;
	puts("warm");
	fflush(stdout);
	for (;;) {
		char word[16] = "";
		int connection = accept(listener, 0, 0);
		if (connection < 0)
			continue;
		if (read(connection, word, sizeof word - 1) > 0)
			dprintf(connection, "%llu\n", (unsigned long long)answer(word));
		close(connection);
	}
}
