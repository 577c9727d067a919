// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that run already.  Each gets counters of its own, from which what it
 * creates inherits; so a process is counted whole once all of its threads have
 * them.  It does not stand still meanwhile: its threads are listed again until
 * there is none that is new.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "perfex.h"

static void explain_attach(int error, const char *what, int id,
			   struct message *message)
{
	switch (error) {
	case ESRCH:
	case ENOENT:
		complain(message, "there is no %s %d, or it is ending", what,
			 id);
		break;
	case EPERM:
		complain(
			message,
			"no right to count %s %d: it takes the right to trace it (ptrace), which its owner and root have",
			what, id);
		break;
	case EINVAL:
		complain(message,
			 "%s %d is the kernel's own: only programs are counted",
			 what, id);
		break;
	case EEXIST:
		complain(
			message,
			"%s %d is being counted already: by itself, or by another perfex",
			what, id);
		break;
	case EMFILE:
		complain(
			message,
			"%s %d has more threads than perfex may have open files (ulimit -n)",
			what, id);
		break;
	default:
		complain(message, "%s %d: %s", what, id,
			 perfctr_strerror(error));
		break;
	}
}

static bool knows(const struct attached *attached, int tid)
{
	unsigned int i;

	for (i = 0; i < attached->nr; i++)
		if (attached->who[i].tid == tid)
			return true;
	return false;
}

/* 64 more each time that they are full. */
static int make_room(struct attached *attached)
{
	struct attached_thread *who;
	int *fds;

	if (attached->nr % 64)
		return 0;
	fds = reallocarray(attached->fds, attached->nr + 64, sizeof(*fds));
	if (!fds)
		return ENOMEM;
	attached->fds = fds;
	who = reallocarray(attached->who, attached->nr + 64, sizeof(*who));
	if (!who)
		return ENOMEM;
	attached->who = who;
	return 0;
}

/* Its process and its name, for when it is not there any more. */
static void describe(struct attached_thread *thread, int tid)
{
	char line[128];
	FILE *stream;

	thread->pid = 0;
	thread->tid = tid;
	strcpy(thread->comm, "?");
	snprintf(line, sizeof(line), "/proc/%d/status", tid);
	stream = fopen(line, "re");
	if (!stream)
		return;
	while (fgets(line, sizeof(line), stream)) {
		if (!strncmp(line, "Name:\t", 6)) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(thread->comm, sizeof(thread->comm), "%.15s",
				 line + 6);
		} else if (!strncmp(line, "Tgid:\t", 6)) {
			thread->pid = atoi(line + 6);
		}
	}
	fclose(stream);
}

/* errno value, or 0 */
static int attach_thread(struct attached *attached, int tid,
			 const struct perfctr_dev_control *control)
{
	int fd, error = make_room(attached);

	if (error)
		return error;
	fd = perfctr_device_open();
	if (fd < 0)
		return errno;
	/* They end with us, however we end. */
	if (perfctr_device_attach(
		    fd, tid, PERFCTR_ATTACH_CREATE | PERFCTR_ATTACH_OWN) < 0) {
		error = errno;
		close(fd);
		return error;
	}
	if (perfctr_device_control(fd, control) < 0) {
		error = errno;
		if (error == EACCES)
			attached->denied = find_denied(fd, control) + 1;
		ioctl(fd, PERFCTR_IOC_UNLINK);
		close(fd);
		return error;
	}
	attached->fds[attached->nr] = fd;
	describe(&attached->who[attached->nr++], tid);
	return 0;
}

/* The threads of a process: errno value, or 0 and *@tids, to be freed. */
static int list_threads(int pid, int **tids, size_t *nr)
{
	const struct dirent *entry;
	size_t room = 0;
	char path[32];
	int error = 0;
	DIR *dir;

	*tids = NULL;
	*nr = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno;
	while ((entry = readdir(dir))) {
		int tid = atoi(entry->d_name), *more;

		if (tid <= 0)
			continue;
		if (*nr == room) {
			room += 64;
			more = reallocarray(*tids, room, sizeof(*more));
			if (!more) {
				error = ENOMEM;
				break;
			}
			*tids = more;
		}
		(*tids)[(*nr)++] = tid;
	}
	closedir(dir);
	return error;
}

/*
 * Those threads of the process that we don't have.  *@found: how many that
 * were.  On a @first look nobody can have inherited counters from us, as all
 * threads are listed before the first of them is attached to; later whoever has
 * some has ours.
 */
static int attach_new_threads(struct attached *attached, int pid,
			      const struct perfctr_dev_control *control,
			      bool first, unsigned int *found)
{
	size_t nr, i;
	int *tids, error;

	*found = 0;
	error = list_threads(pid, &tids, &nr);
	/* It has ended meanwhile. */
	if (error && error != ENOMEM && !first)
		error = 0;
	for (i = 0; !error && i < nr; i++) {
		if (knows(attached, tids[i]))
			continue;
		error = attach_thread(attached, tids[i], control);
		if (!error)
			++*found;
		/* It has ended meanwhile. */
		if (error == ESRCH || error == ENOENT ||
		    (error == EEXIST && !first))
			error = 0;
	}
	free(tids);
	return error;
}

static int attach_process(struct attached *attached, int pid,
			  const struct perfctr_dev_control *control)
{
	unsigned int found, had = attached->nr;
	int error, pidfd = pidfd_open(pid, 0);
	bool first = true;

	if (pidfd < 0)
		/* A thread that is no process's first. */
		return errno == EINVAL ? ESRCH : errno;
	attached->pidfds[attached->nr_pidfds++] = pidfd;
	do {
		error = attach_new_threads(attached, pid, control, first,
					   &found);
		first = false;
	} while (!error && found && control->flags & PERFCTR_CTL_INHERIT);
	return !error && attached->nr == had ? ESRCH : error;
}

int attach_targets(struct attached *attached, const struct options *options,
		   const struct perfctr_dev_control *control,
		   struct message *message)
{
	bool process = options->target == TARGET_PROCESS;
	unsigned int i;

	memset(attached, 0, sizeof(*attached));
	for (i = 0; i < options->nr_targets; i++) {
		int id = options->targets[i];
		int error = process ? attach_process(attached, id, control)
				    : attach_thread(attached, id, control);

		if (!error)
			continue;
		explain_attach(error, process ? "process" : "thread", id,
			       message);
		detach_targets(attached);
		return -1;
	}
	return 0;
}

bool attached_ended(const struct attached *attached)
{
	struct perfctr_dev_sums sums;
	unsigned int i;

	for (i = 0; i < attached->nr; i++)
		if (!perfctr_device_read(attached->fds[i], &sums) &&
		    !(sums.status & PERFCTR_STATUS_EXITED))
			return false;
	return true;
}

int attached_records(const struct attached *attached, struct result *result)
{
	struct perfctr_dev_record *record;
	unsigned int i;

	result->records = calloc(attached->nr, sizeof(*record));
	if (!result->records)
		return ENOMEM;
	for (i = 0; i < attached->nr; i++) {
		record = &result->records[i];
		record->pid = attached->who[i].pid;
		record->tid = attached->who[i].tid;
		memcpy(record->comm, attached->who[i].comm,
		       sizeof(record->comm));
		if (perfctr_device_read(attached->fds[i], &record->sums) < 0)
			return errno;
	}
	result->nr_records = attached->nr;
	return 0;
}

/* How many live members of its group were found, and told to end. */
static unsigned int unlink_members(int fd)
{
	struct perfctr_dev_record record = {.serial = 0};
	unsigned int found = 0;

	while (!perfctr_device_next_record(fd, &record)) {
		int member;

		if (!(record.sums.status & PERFCTR_STATUS_RUNNING))
			continue;
		member = perfctr_device_open();
		if (member < 0)
			break;
		/* It may have ended meanwhile. */
		if (!perfctr_device_attach(member, record.tid, 0) &&
		    !ioctl(member, PERFCTR_IOC_UNLINK))
			found++;
		close(member);
	}
	return found;
}

void detach_targets(struct attached *attached)
{
	unsigned int i, round;

	for (i = 0; i < attached->nr; i++)
		ioctl(attached->fds[i], PERFCTR_IOC_UNLINK);
	/* Those that are found may have had children until then. */
	for (i = 0; i < attached->nr; i++)
		for (round = 0; round < 100; round++)
			if (!unlink_members(attached->fds[i]))
				break;
	for (i = 0; i < attached->nr; i++)
		close(attached->fds[i]);
	for (i = 0; i < attached->nr_pidfds; i++)
		close(attached->pidfds[i]);
	free(attached->fds);
	free(attached->who);
	memset(attached, 0, offsetof(struct attached, denied));
}
