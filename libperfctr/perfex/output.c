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

/*
 * /dev/stdout, or a name of what it is: the command writes there, too, so it is
 * written to by a copy of that descriptor, which has the same place in the file.
 * -1 if @fd is another file.
 */
static int copy_of_standard(int fd)
{
	static const int standard[] = {STDOUT_FILENO, STDERR_FILENO};
	struct stat file, other;
	size_t i;

	if (fstat(fd, &file) < 0)
		return -1;
	for (i = 0; i < sizeof(standard) / sizeof(*standard); i++)
		if (!fstat(standard[i], &other) &&
		    other.st_dev == file.st_dev &&
		    other.st_ino == file.st_ino &&
		    (fcntl(standard[i], F_GETFL) & O_ACCMODE) != O_RDONLY)
			return fcntl(standard[i], F_DUPFD_CLOEXEC, 0);
	return -1;
}

int output_open(struct output *output, const char *path, bool append,
		struct message *message)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : 0);
	int copy;

	memset(output, 0, sizeof(*output));
	output->path = path;
	output->append = append;
	output->fd = STDERR_FILENO;
	if (!path)
		return 0;
	output->fd = open(path, flags | O_EXCL, 0666);
	if (output->fd >= 0)
		output->created = true;
	else if (errno == EEXIST)
		output->fd = open(path, flags, 0666);
	if (output->fd < 0)
		return complain(message, "%s: %s", path, strerror(errno));
	copy = copy_of_standard(output->fd);
	if (copy >= 0) {
		close(output->fd);
		output->fd = copy;
		output->append = true;
	}
	return 0;
}

void output_abandon(struct output *output)
{
	if (!output->path)
		return;
	close(output->fd);
	if (output->created && !output->begun)
		unlink(output->path);
}

static int explain_write(const struct output *output, int error,
			 struct message *message)
{
	return complain(message, "%s: %s",
			output->path                  ? output->path
			: output->fd == STDOUT_FILENO ? "standard output"
						      : "standard error",
			strerror(error));
}

int output_add(struct output *output, const char *text, size_t size,
	       struct message *message)
{
	struct stat stat;
	int error = 0;

	if (output->path && !output->append && !output->begun &&
	    !fstat(output->fd, &stat) && S_ISREG(stat.st_mode) &&
	    ftruncate(output->fd, 0) < 0)
		error = errno;
	output->begun = true;
	while (size && !error) {
		ssize_t written = write(output->fd, text, size);

		if (written >= 0) {
			text += written;
			size -= (size_t)written;
		} else if (errno != EINTR) {
			error = errno;
		}
	}
	return error ? explain_write(output, error, message) : 0;
}

int output_close(struct output *output, struct message *message)
{
	if (output->path && close(output->fd) < 0)
		return explain_write(output, errno, message);
	return 0;
}

int output_write(struct output *output, const char *text, size_t size,
		 struct message *message)
{
	struct message ignored;
	int error = output_add(output, text, size, message);

	if (output_close(output, error ? &ignored : message) < 0)
		error = -1;
	return error;
}

/* -------------------------------- the terminal --------------------------- */

#define PROGRESS_WIDTH 60

bool progress_wanted(void)
{
	return isatty(STDERR_FILENO);
}

void progress(const char *text)
{
	static bool shown;

	if (!progress_wanted() || (!text && !shown))
		return;
	shown = text;
	if (text)
		fprintf(stderr, "\r%-*.*s", PROGRESS_WIDTH, PROGRESS_WIDTH,
			text);
	else
		fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH, "");
	fflush(stderr);
}
