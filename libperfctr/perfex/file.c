// SPDX-License-Identifier: GPL-2.0-or-later
/* perfex.data as chunks: appended by one write each, checked when read. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "profile.h"

#define MAGIC_SIZE (sizeof(FILE_MAGIC) - 1)

static size_t padding(size_t size)
{
	return -size & 7;
}

static uint32_t checksum(const struct chunk_head *head, const void *payload)
{
	uLong crc =
		crc32(0, (const Bytef *)head, offsetof(struct chunk_head, crc));

	return (uint32_t)crc32_z(crc, payload, head->size);
}

/* --------------------------------- writing ------------------------------- */

/* All of it: errno value, or 0. */
static int write_all(int fd, struct iovec *iov, int nr)
{
	while (nr) {
		ssize_t written = writev(fd, iov, nr);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		for (; nr && (size_t)written >= iov->iov_len; iov++, nr--)
			written -= (ssize_t)iov->iov_len;
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + written;
			iov->iov_len -= (size_t)written;
		}
	}
	return 0;
}

static int append(struct writer *writer, struct iovec *iov, int nr)
{
	off_t size = writer->size;
	int error, i;

	for (i = 0; i < nr; i++)
		size += (off_t)iov[i].iov_len;
	error = write_all(writer->fd, iov, nr);
	if (!error) {
		writer->size = size;
		return 0;
	}
	/* A part of it is of no use to anybody. */
	if (writer->regular && !ftruncate(writer->fd, writer->size))
		lseek(writer->fd, writer->size, SEEK_SET);
	return error;
}

int writer_begin(struct writer *writer, int fd)
{
	struct iovec magic = {(char *)FILE_MAGIC, MAGIC_SIZE};
	struct stat stat;

	writer->fd = fd;
	writer->size = 0;
	writer->regular = !fstat(fd, &stat) && S_ISREG(stat.st_mode);
	if (writer->regular &&
	    (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		return errno;
	return append(writer, &magic, 1);
}

int writer_append(struct writer *writer, enum chunk_type type,
		  const void *payload, size_t size)
{
	static const char zeros[8];
	struct chunk_head head = {.type = type, .size = (uint32_t)size};
	struct iovec iov[] = {
		{&head, sizeof(head)},
		{(void *)(uintptr_t)payload, size},
		{(char *)(uintptr_t)zeros, padding(size)},
	};

	if (size > CHUNK_MAX)
		return EFBIG;
	head.crc = checksum(&head, payload);
	return append(writer, iov, 3);
}

/* --------------------------------- reading ------------------------------- */

/* All that is there, in memory.  errno value, or 0. */
static int read_all(int fd, struct reader *reader)
{
	size_t room = 0;

	for (;;) {
		ssize_t got;

		if (reader->size == room) {
			unsigned char *data;

			room = room ? 2 * room : 1 << 20;
			data = realloc(reader->data, room);
			if (!data)
				return ENOMEM;
			reader->data = data;
		}
		got = read(fd, reader->data + reader->size,
			   room - reader->size);
		if (!got)
			return 0;
		if (got > 0)
			reader->size += (size_t)got;
		else if (errno != EINTR)
			return errno;
	}
}

int reader_open(struct reader *reader, const char *path,
		struct message *message)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	memset(reader, 0, sizeof(*reader));
	if (fd < 0)
		return complain(
			message, "%s: %s%s", path, strerror(errno),
			errno == ENOENT
				? " (perfex record writes it; -i names another)"
				: "");
	error = read_all(fd, reader);
	close(fd);
	if (error) {
		reader_close(reader);
		return complain(message, "%s: %s", path, strerror(error));
	}
	if (reader->size < MAGIC_SIZE ||
	    memcmp(reader->data, FILE_MAGIC, MAGIC_SIZE) != 0) {
		reader_close(reader);
		return complain(
			message,
			"%s: not a file of perfex record, or of another version",
			path);
	}
	reader->at = MAGIC_SIZE;
	return 0;
}

void reader_close(struct reader *reader)
{
	free(reader->data);
	memset(reader, 0, sizeof(*reader));
}

int reader_next(struct reader *reader, struct chunk *chunk)
{
	size_t left = reader->size - reader->at;
	struct chunk_head head;

	if (!left)
		return 0;
	if (left < sizeof(head))
		return -1;
	memcpy(&head, reader->data + reader->at, sizeof(head));
	left -= sizeof(head);
	if (head.size > CHUNK_MAX || head.size > left ||
	    padding(head.size) > left - head.size)
		return -1;
	chunk->type = head.type;
	chunk->size = head.size;
	chunk->payload = reader->data + reader->at + sizeof(head);
	if (checksum(&head, chunk->payload) != head.crc)
		return -1;
	reader->at += sizeof(head) + head.size + padding(head.size);
	return 1;
}

/* ------------------------- what a profile is about ----------------------- */

int open_regular(const char *path, uint64_t *ino, const char **problem)
{
	char again[32];
	struct stat stat;
	int fd, reader;

	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		*problem = strerror(errno);
		return -1;
	}
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		*problem = "it is no regular file";
		close(fd);
		return -1;
	}
	/* The same file, whatever has its name by now. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	reader = open(again, O_RDONLY | O_CLOEXEC);
	*problem = strerror(errno);
	*ino = stat.st_ino;
	close(fd);
	return reader;
}
