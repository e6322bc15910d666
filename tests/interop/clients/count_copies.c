/*
 * Loaded into a daemon before libc: counts the bytes of clients' messages that the process copies.
 *
 * Messages are made of one byte, MARK, of which there is little elsewhere. Every copy that memcpy and its relatives make,
 * for whatever part of the program, adds the marks in it to a number in the file COPIES_FILE. What the system copies for
 * a call, between the process and a socket, is not in it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK 0xC5

static _Atomic uint64_t unread;
static _Atomic uint64_t *marks = &unread;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("COPIES_FILE");
	int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (file < 0)
		return;
	void *shared = mmap(NULL, sizeof *marks, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (shared != MAP_FAILED)
		marks = shared;
}

__attribute__((optimize("O3"))) static void count(const uint8_t *from, size_t n)
{
	uint64_t found = 0;
	for (size_t i = 0; i < n; i++)
		found += from[i] == MARK;
	if (found)
		atomic_fetch_add_explicit(marks, found, memory_order_relaxed);
}

/* Two loops that the compiler cannot take for memcpy, which it would call. */
static void forward(uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
		uint64_t word;
		__builtin_memcpy(&word, from, sizeof word);
		__builtin_memcpy(to, &word, sizeof word);
		to += sizeof word, from += sizeof word;
		__asm__ volatile("" ::: "memory");
	}
	while (n--) {
		*to++ = *from++;
		__asm__ volatile("" ::: "memory");
	}
}

static void backward(uint8_t *behind, const uint8_t *last, size_t n)
{
	for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
		uint64_t word;
		behind -= sizeof word, last -= sizeof word;
		__builtin_memcpy(&word, last, sizeof word);
		__builtin_memcpy(behind, &word, sizeof word);
		__asm__ volatile("" ::: "memory");
	}
	while (n--) {
		*--behind = *--last;
		__asm__ volatile("" ::: "memory");
	}
}

void *memmove(void *to, const void *from, size_t n)
{
	count(from, n);
	if ((uintptr_t)to - (uintptr_t)from >= n)
		forward(to, from, n);
	else
		backward((uint8_t *)to + n, (const uint8_t *)from + n, n);
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	count(from, n);
	forward(to, from, n);
	return to;
}

void *mempcpy(void *restrict to, const void *restrict from, size_t n)
{
	return (uint8_t *)memcpy(to, from, n) + n;
}

/* Those of programs that were built with _FORTIFY_SOURCE. */
void *__memcpy_chk(void *restrict to, const void *restrict from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memmove(to, from, n);
}

void *__mempcpy_chk(void *restrict to, const void *restrict from, size_t n, size_t room)
{
	return (uint8_t *)__memcpy_chk(to, from, n, room) + n;
}
