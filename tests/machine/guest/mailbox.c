// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mailbox - the guest's end of the window it shares with tests/machine/run.
 *
 * The window is the memory of an emulated ivshmem PCI device, on the host an
 * ordinary file. Everything that passes between host and guest lies in it, so a
 * guest needs neither disk nor network drivers, nothing arrives by an
 * interrupt at a moment that depends on the host, and output can be followed
 * while it is written. A domU reaches the same memory through the "iomem"
 * setting of its configuration; lab.base= and lab.slot= on its kernel command
 * line tell it where. PVH and HVM domUs have only their own slot of the slots.
 *
 * Layout (little endian; kept in step with window.py):
 *
 *	0		struct header
 *	root_off	the root file system's image
 *	in_off		a tar archive to be unpacked over it
 *	kernel_off	the kernel and the initramfs for guest/firmware/main.c, which
 *	initrd_off	starts HVM domUs; lengths of 0 when there can be none
 *	slot_off	nslots slots of slot_size bytes; slot 0 is the host's, the
 *			others are for dom0 to talk to its domUs
 *
 * A slot starts with struct slot; the request (the arguments of a command,
 * each ended by NUL) lies REQUEST bytes in, and records of a type, a length
 * and that many bytes follow from RECORDS on. Only the guest writes them, and it
 * moves out_len only after the bytes are in place: x86 keeps stores in
 * order, so a reader that sees the new length sees the bytes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC	0x3062616c72746370ULL	/* "pctrlab0" */
#define REQUEST	4096
#define RECORDS	65536
#define CHUNK	(1UL << 20)

struct header {
	uint64_t magic, root_off, root_len, in_off, in_len;
	uint64_t slot_off, slot_size, nslots;
	uint64_t kernel_off, kernel_len, initrd_off, initrd_len;
};

/* What guest/firmware/start.S begins with */
struct firmware {
	char magic[8];
	uint64_t window;
	char command_line[4080];
	char rest[61440];
};

struct slot {
	uint64_t out_len, request_len;
};

enum record { STDOUT = 1, STDERR, GET, STATUS, FAILURE, DONE };

struct record_head {
	uint32_t type, len;
};

static int mem;				/* /dev/mem */
static uint64_t base;			/* physical address of the window */
static struct header header;
static unsigned long slot_index;

static uint64_t mapped = UINT64_MAX;	/* the part of the window that is mapped now */
static char *chunk = MAP_FAILED;

static void unmap(void)
{
	if (chunk != MAP_FAILED)
		munmap(chunk, CHUNK);
	chunk = MAP_FAILED;
	mapped = UINT64_MAX;
}

/* Where the window's byte off is mapped; *room bytes can be used from there. */
static void *at(uint64_t off, size_t *room)
{
	uint64_t start = off & ~(CHUNK - 1);

	if (start != mapped) {
		unmap();
		chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED,
			     mem, base + start);
		if (chunk == MAP_FAILED)
			err(125, "mailbox: mmap of /dev/mem at %#llx",
			    (unsigned long long)(base + start));
		mapped = start;
	}
	*room = CHUNK - (off - start);
	return chunk + (off - start);
}

static void put(uint64_t off, const void *from, size_t len)
{
	size_t room;

	for (const char *p = from; len; p += room, off += room, len -= room) {
		void *to = at(off, &room);

		if (room > len)
			room = len;
		memcpy(to, p, room);
	}
}

static void get(uint64_t off, void *to, size_t len)
{
	size_t room;

	for (char *p = to; len; p += room, off += room, len -= room) {
		void *from = at(off, &room);

		if (room > len)
			room = len;
		memcpy(p, from, room);
	}
}

static unsigned long long argument(const char *name)
{
	static char line[4096];
	char *p;

	if (!*line) {
		FILE *f = fopen("/proc/cmdline", "r");

		if (!f || !fgets(line, sizeof(line), f))
			err(125, "mailbox: /proc/cmdline");
		fclose(f);
	}
	p = strstr(line, name);
	return p ? strtoull(p + strlen(name), NULL, 0) : 0;
}

/* The address of the ivshmem device's memory, its third region. */
static uint64_t find_device(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	unsigned long long start = 0;
	struct dirent *d;

	while (dir && !start && (d = readdir(dir))) {
		char path[512], id[16] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (!fgets(id, sizeof(id), f))
			id[0] = 0;
		fclose(f);
		if (strcmp(id, "0x1110\n"))
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", d->d_name);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%*[^\n] %*[^\n] %llx", &start) != 1)
			start = 0;
		if (f)
			fclose(f);
	}
	if (!start)
		errx(125, "mailbox: this machine has no window");
	return start;
}

static void open_window(void)
{
	mem = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (mem < 0)
		err(125, "mailbox: /dev/mem");
	base = argument("lab.base=");
	slot_index = argument("lab.slot=");
	if (!base)
		base = find_device();
	get(0, &header, sizeof(header));
	if (header.magic != MAGIC)
		errx(125, "mailbox: no window at %#llx", (unsigned long long)base);
}

static uint64_t slot_at(unsigned long n)
{
	if (n >= header.nslots)
		errx(125, "mailbox: there is no slot %lu", n);
	return header.slot_off + n * header.slot_size;
}

static void send_record(enum record type, const void *data, uint32_t len)
{
	struct record_head head = { type, len };
	uint64_t slot = slot_at(slot_index);
	struct slot s;
	uint64_t end;

	get(slot, &s, sizeof(s));
	end = RECORDS + s.out_len + sizeof(head) + len;
	/* The last 4 KiB are kept for the end of the story. */
	if (end > header.slot_size - (type >= STATUS ? 0 : 4096))
		errx(125, "mailbox: more output than the window holds (%llu MiB)",
		     (unsigned long long)header.slot_size >> 20);
	put(slot + RECORDS + s.out_len, &head, sizeof(head));
	put(slot + RECORDS + s.out_len + sizeof(head), data, len);
	s.out_len += sizeof(head) + len;
	__sync_synchronize();
	put(slot, &s.out_len, sizeof(s.out_len));
}

/* Moves what can be read from fd now; returns 0 at its end. */
static int pump(int fd, enum record type)
{
	static char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_record(type, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void child_ended(int sig)
{
	(void)sig;
}

/* Runs the slot's request. Output that comes after the command's own end, from
 * processes it left behind, is not waited for. */
static int run(void)
{
	struct sigaction act = { .sa_handler = child_ended };
	uint64_t slot = slot_at(slot_index);
	int out[2], errs[2], status, i = 0;
	char *argv[RECORDS / 2];
	sigset_t chld, old;
	struct slot s;
	char *request;
	int32_t code;
	pid_t pid;

	get(slot, &s, sizeof(s));
	request = calloc(1, s.request_len + 1);
	get(slot + REQUEST, request, s.request_len);
	for (char *p = request; p < request + s.request_len; p += strlen(p) + 1)
		argv[i++] = p;
	argv[i] = NULL;
	if (!i)
		errx(125, "mailbox: nothing to run");
	if (pipe2(out, O_CLOEXEC) || pipe2(errs, O_CLOEXEC))
		err(125, "mailbox: pipe");

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	sigaction(SIGCHLD, &act, NULL);
	pid = fork();
	if (pid < 0)
		err(125, "mailbox: fork");
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		sigprocmask(SIG_SETMASK, &old, NULL);
		signal(SIGCHLD, SIG_DFL);
		setsid();
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(errs[1], 2);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(out[1]);
	close(errs[1]);

	struct pollfd fds[2] = {
		{ .fd = out[0], .events = POLLIN }, { .fd = errs[0], .events = POLLIN },
	};
	while (waitpid(pid, &status, WNOHANG) == 0) {
		/* A PV domain can't be saved while it has the window mapped. */
		unmap();
		if (ppoll(fds, 2, NULL, &old) < 0)
			continue;
		for (i = 0; i < 2; i++)
			if (fds[i].revents && !pump(fds[i].fd, STDOUT + i))
				fds[i].fd = -1;
	}
	while (poll(fds, 2, 0) > 0)
		for (i = 0; i < 2; i++)
			if (fds[i].revents && !pump(fds[i].fd, STDOUT + i))
				fds[i].fd = -1;

	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	send_record(STATUS, &code, sizeof(code));
	return 0;
}

/* Puts a request into another slot, for a domU that is about to start. */
static void request(unsigned long n, char **argv)
{
	uint64_t slot = slot_at(n), off = slot + REQUEST;
	struct slot s = { 0 };

	for (; *argv; argv++) {
		size_t len = strlen(*argv) + 1;

		if (s.request_len + len > RECORDS - REQUEST)
			errx(125, "mailbox: the command is too long");
		put(off, *argv, len);
		off += len;
		s.request_len += len;
	}
	put(slot, &s, sizeof(s));
}

static void write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			err(125, "mailbox: write");
		p += n;
		len -= n;
	}
}

/*
 * Repeats on this process's own standard output and error what slot n receives,
 * writes the archive of its /get to the file named, and returns its command's exit
 * status. Polls, every $POLL seconds (default: 0.02): a domU has no other way to
 * tell. Ends with 125 when the file named ended appears before the end of the output.
 */
static int follow(unsigned long n, const char *get_file, const char *ended)
{
	const char *poll = getenv("POLL");
	useconds_t interval = (poll ? atof(poll) : 0.02) * 1000000;
	uint64_t slot = slot_at(n), seen = 0;
	struct record_head head;
	int32_t code = 125;
	int last = 0, archive = -1;
	struct slot s;

	for (;;) {
		get(slot, &s, sizeof(s));
		while (seen < s.out_len) {
			char *data;

			get(slot + RECORDS + seen, &head, sizeof(head));
			data = malloc(head.len + 1);
			get(slot + RECORDS + seen + sizeof(head), data, head.len);
			seen += sizeof(head) + head.len;
			switch (head.type) {
			case STDOUT:
			case STDERR:
				write_all(head.type == STDOUT ? 1 : 2, data, head.len);
				break;
			case GET:
				if (archive < 0)
					archive = open(get_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
				if (archive < 0)
					err(125, "mailbox: %s", get_file);
				write_all(archive, data, head.len);
				break;
			case STATUS:
				memcpy(&code, data, sizeof(code));
				break;
			case FAILURE:
				write_all(2, data, head.len);
				return 125;
			case DONE:
				return code;
			}
			free(data);
		}
		if (last) {
			fprintf(stderr, "lab/domu: the domain ended before its command did\n");
			return 125;
		}
		usleep(interval);
		/* Look once more after its death, for what it said last. */
		last = !access(ended, F_OK);
	}
}

/* Writes the firmware in the file named to standard output, with its parameters. */
static void firmware(const char *file, const char *window, const char *command_line)
{
	struct firmware f;
	FILE *in = fopen(file, "rb");

	if (!in || fread(&f, sizeof(f), 1, in) != 1 || memcmp(f.magic, "lab-boot", 8))
		errx(125, "mailbox: %s is no firmware", file);
	if (strlen(command_line) >= sizeof(f.command_line))
		errx(125, "mailbox: the kernel's command line is too long");
	f.window = strtoull(window, NULL, 0);
	strcpy(f.command_line, command_line);
	write_all(1, (const char *)&f, sizeof(f));
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int n;

	open_window();
	if (!strcmp(verb, "info")) {
		printf("window=%#llx window_size=%#llx slots_off=%#llx slot_size=%#llx "
		       "root_at=%#llx root_len=%llu\n",
		       (unsigned long long)base,
		       (unsigned long long)(header.slot_off + header.nslots * header.slot_size),
		       (unsigned long long)header.slot_off,
		       (unsigned long long)header.slot_size,
		       (unsigned long long)(base + header.root_off),
		       (unsigned long long)header.root_len);
	} else if (!strcmp(verb, "in")) {
		uint64_t off = header.in_off, end = off + header.in_len;

		while (off < end) {
			size_t room;
			char *p = at(off, &room);

			if (room > end - off)
				room = end - off;
			write_all(1, p, room);
			off += room;
		}
	} else if (!strcmp(verb, "run")) {
		return run();
	} else if (!strcmp(verb, "get")) {
		while (pump(0, GET))
			;
	} else if (!strcmp(verb, "fail")) {
		for (n = 2; n < argc; n++)
			send_record(FAILURE, argv[n], strlen(argv[n]));
		send_record(FAILURE, "\n", 1);
		send_record(DONE, "", 0);
	} else if (!strcmp(verb, "done")) {
		send_record(DONE, "", 0);
	} else if (!strcmp(verb, "request") && argc > 3) {
		request(strtoul(argv[2], NULL, 0), argv + 3);
	} else if (!strcmp(verb, "follow") && argc == 5) {
		return follow(strtoul(argv[2], NULL, 0), argv[3], argv[4]);
	} else if (!strcmp(verb, "firmware") && argc == 5) {
		firmware(argv[2], argv[3], argv[4]);
	} else {
		errx(2, "usage: mailbox info|in|run|get|fail|done|request|follow|firmware");
	}
	return 0;
}
