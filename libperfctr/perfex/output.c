// SPDX-License-Identifier: GPL-2.0-or-later
/* Where output goes, and what is said when it can't. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "perfex.h"

int fail_with(int status, const struct message *message)
{
	fprintf(stderr, "perfex: %s\n", message->text);
	return status;
}

/* Everything printed must have arrived. */
int finish_stdout(void)
{
	struct message message;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	complain(&message, "standard output: %s", strerror(errno));
	return fail_with(EXIT_PERFEX, &message);
}

int output_open(struct output *output, const char *path,
		struct message *message)
{
	output->path = path;
	output->created = false;
	output->fd = STDERR_FILENO;
	if (!path)
		return 0;
	output->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (output->fd >= 0)
		output->created = true;
	else if (errno == EEXIST)
		output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (output->fd < 0)
		return complain(message, "%s: %s", path, strerror(errno));
	return 0;
}

void output_abandon(struct output *output)
{
	if (!output->path)
		return;
	close(output->fd);
	if (output->created)
		unlink(output->path);
}

int output_write(struct output *output, const char *text, size_t size,
		 struct message *message)
{
	struct stat stat;
	int error = 0;

	if (output->path && !fstat(output->fd, &stat) &&
	    S_ISREG(stat.st_mode) && ftruncate(output->fd, 0) < 0)
		error = errno;
	while (size && !error) {
		ssize_t written = write(output->fd, text, size);

		if (written >= 0) {
			text += written;
			size -= (size_t)written;
		} else if (errno != EINTR) {
			error = errno;
		}
	}
	if (output->path && close(output->fd) < 0 && !error)
		error = errno;
	return error ? complain(message, "%s: %s",
				output->path ? output->path
				: output->fd == STDOUT_FILENO
					? "standard output"
					: "standard error",
				strerror(error))
		     : 0;
}
