// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rings of samples: one for each CPU, written by the kernel, read here.
 *
 * The pages are shared with the kernel and may be with other processes, which
 * could write anything to them.  So nothing in them is believed: a record is
 * copied before it is looked at, and every number is checked against what was
 * mapped.  Where the reader is, it knows by itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_PAGES 64u
#define MOST_PAGES    1024u

/* Records are made of words of eight bytes; nothing begins between them. */
#define WORDS(position) ((position) & ~UINT64_C(7))

struct ring {
	struct perfctr_ring_page *page; /* NULL: not mapped */
	const unsigned char *data;
	uint32_t size; /* of the data, a power of two */
	uint64_t tail; /* read up to here; page->tail is for the kernel */
	uint64_t head; /* written up to here, when we last looked */
	uint32_t next; /* bytes of the record at tail; 0: not looked at yet */
	/*
	 * When the record at tail happened.  Within a ring this does not go
	 * back: what the kernel wrote first is read first.
	 */
	uint64_t when;
};

struct vperfctr_rings {
	int fd;
	unsigned int nr;
	struct vperfctr_record record;
	uint32_t raw_size;
	/* The record's copy. */
	uint64_t raw[PERFCTR_RECORD_MAX / sizeof(uint64_t)];
	struct ring ring[];
};

/* ---------------------------------- records ------------------------------ */

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool parse_sample(const struct perfctr_ring_sample *raw, size_t size,
			 struct vperfctr_record *record)
{
	if (size < sizeof(*raw) || raw->nr > PERFCTR_MAX_COUNTERS ||
	    raw->depth > PERFCTR_RINGS_MAX_DEPTH ||
	    size < sizeof(*raw) + 8 * ((size_t)raw->nr + raw->depth))
		return false;
	if (raw->task.record.flags & PERFCTR_SAMPLE_KERNEL)
		record->sample.flags |= VPERFCTR_SAMPLE_KERNEL;
	if (raw->task.record.flags & PERFCTR_SAMPLE_NO_IP)
		record->sample.flags |= VPERFCTR_SAMPLE_NO_IP;
	record->sample.overflow = raw->overflow;
	record->sample.ip = raw->ip;
	record->sample.vtsc = raw->vtsc;
	record->sample.nr = raw->nr;
	record->sample.depth = raw->depth;
	record->sample.values = (const unsigned long long *)raw->value;
	record->sample.chain = record->sample.values + raw->nr;
	return true;
}

static bool parse_exit(const struct perfctr_ring_exit *raw, size_t size,
		       struct vperfctr_record *record)
{
	if (size < sizeof(*raw) || raw->nr > PERFCTR_MAX_COUNTERS ||
	    size < sizeof(*raw) + 8 * (size_t)raw->nr)
		return false;
	record->exit.nr = raw->nr;
	record->exit.values = (const unsigned long long *)raw->value;
	return true;
}

static bool parse_mmap(const struct perfctr_ring_mmap *raw, size_t size,
		       struct vperfctr_record *record)
{
	if (size < sizeof(*raw) ||
	    !terminated(raw->path, size - sizeof(*raw)) ||
	    raw->start >= raw->end)
		return false;
	record->mmap.path = raw->path;
	record->mmap.start = raw->start;
	record->mmap.end = raw->end;
	record->mmap.offset = raw->offset;
	record->mmap.ino = raw->ino;
	record->mmap.maj = raw->maj;
	record->mmap.min = raw->min;
	return true;
}

/* Behind the task, which there is. */
static bool parse_body(const void *raw, size_t size,
		       struct vperfctr_record *record)
{
	const struct perfctr_ring_throttled *throttled = raw;
	const struct perfctr_ring_comm *comm = raw;
	const struct perfctr_ring_fork *fork = raw;

	switch ((int)record->type) {
	case PERFCTR_RING_SAMPLE:
		return parse_sample(raw, size, record);
	case PERFCTR_RING_THROTTLED:
		if (size < sizeof(*throttled))
			return false;
		record->throttled.nr = throttled->nr;
		record->throttled.overflow = throttled->overflow;
		return true;
	case PERFCTR_RING_COMM:
		if (size < sizeof(*comm) ||
		    !terminated(comm->comm, sizeof(comm->comm)))
			return false;
		record->comm.comm = comm->comm;
		record->comm.exec =
			!!(comm->task.record.flags & PERFCTR_COMM_EXEC);
		return true;
	case PERFCTR_RING_FORK:
		if (size < sizeof(*fork))
			return false;
		record->fork.ppid = fork->ppid;
		record->fork.ptid = fork->ptid;
		return true;
	case PERFCTR_RING_EXIT:
		return parse_exit(raw, size, record);
	case PERFCTR_RING_MMAP:
		return parse_mmap(raw, size, record);
	default:
		return true;
	}
}

/* Records of this type begin with a struct perfctr_ring_task. */
static bool has_task(uint16_t type)
{
	return type == PERFCTR_RING_SAMPLE ||
	       (type >= PERFCTR_RING_THROTTLED && type <= PERFCTR_RING_MMAP);
}

bool perfctr_record_parse(const void *raw, size_t size,
			  struct vperfctr_record *record)
{
	const struct perfctr_ring_record *head = raw;
	const struct perfctr_ring_task *task = raw;
	const struct perfctr_ring_lost *lost = raw;

	memset(record, 0, sizeof(*record));
	if (size < sizeof(*head) || head->size != size || size % 8)
		return false;
	record->type = head->type;
	if (head->type == PERFCTR_RING_LOST) {
		if (size < sizeof(*lost))
			return false;
		record->lost.nr = lost->nr;
		return true;
	}
	if (!has_task(head->type))
		return true;
	if (size < sizeof(*task))
		return false;
	record->pid = task->pid;
	record->tid = task->tid;
	record->tsc = task->tsc;
	return parse_body(raw, size, record);
}

/* ---------------------------------- reading ------------------------------ */

static void move_tail(struct ring *ring, uint64_t tail)
{
	ring->tail = tail;
	ring->next = 0;
	/*
	 * The kernel may write where we read as soon as it sees this: pairs
	 * with its acquiring load of tail.
	 */
	__atomic_store_n(&ring->page->tail, tail, __ATOMIC_RELEASE);
}

/* How far is it written?  false: it can't be that far. */
static bool look(struct ring *ring)
{
	/* Pairs with the kernel's store of head behind what it has written. */
	ring->head =
		WORDS(__atomic_load_n(&ring->page->head, __ATOMIC_ACQUIRE));
	ring->next = 0;
	if (ring->head - ring->tail <= ring->size)
		return true;
	move_tail(ring, ring->head);
	return false;
}

/* The kernel is done with what lies below head, so it may be read plainly. */
static void copy_out(const struct ring *ring, uint64_t at, void *to,
		     size_t size)
{
	memcpy(to, ring->data + (at & (ring->size - 1)), size);
}

/*
 * Find the record at tail: its size in "next", its time in "when".  Returns 1;
 * 0: there is none; -1: what is there is not a record.
 */
static int peek(struct ring *ring)
{
	struct perfctr_ring_record head;
	struct perfctr_ring_task task;

	while (!ring->next && ring->tail != ring->head) {
		uint64_t room = ring->head - ring->tail;
		uint64_t to_end = ring->size - (ring->tail & (ring->size - 1));

		copy_out(ring, ring->tail, &head, sizeof(head));
		if (head.size < sizeof(head) || head.size % 8 ||
		    head.size > room || head.size > to_end)
			return -1;
		if (head.type == PERFCTR_RING_PAD) {
			move_tail(ring, ring->tail + head.size);
			continue;
		}
		if (head.size > PERFCTR_RECORD_MAX)
			return -1;
		if (has_task(head.type) && head.size >= sizeof(task)) {
			copy_out(ring, ring->tail, &task, sizeof(task));
			if (task.tsc > ring->when)
				ring->when = task.tsc;
		}
		ring->next = head.size;
	}
	return ring->next != 0;
}

/* The ring whose next record is the oldest; *@bad: one was not readable. */
static struct ring *oldest(struct vperfctr_rings *rings, bool *bad)
{
	struct ring *first = NULL;
	unsigned int i;

	for (i = 0; i < rings->nr; i++) {
		struct ring *ring = &rings->ring[i];

		switch (peek(ring)) {
		case 1:
			if (!first || ring->when < first->when)
				first = ring;
			break;
		case -1:
			move_tail(ring, ring->head);
			*bad = true;
			break;
		}
	}
	return first;
}

static const struct vperfctr_record *take(struct vperfctr_rings *rings,
					  struct ring *ring)
{
	rings->raw_size = ring->next;
	copy_out(ring, ring->tail, rings->raw, ring->next);
	/* It may have changed since it was found: then so may those behind. */
	if (!perfctr_record_parse(rings->raw, ring->next, &rings->record)) {
		move_tail(ring, ring->head);
		ring->when = 0;
		errno = EBADMSG;
		return NULL;
	}
	move_tail(ring, ring->tail + ring->next);
	rings->record.cpu = (unsigned int)(ring - rings->ring);
	return &rings->record;
}

const struct vperfctr_record *vperfctr_rings_next(struct vperfctr_rings *rings)
{
	struct ring *ring;
	bool bad = false;
	unsigned int i;

	ring = oldest(rings, &bad);
	if (!ring && !bad) {
		/* All at once: what one has, the others have of that time. */
		for (i = 0; i < rings->nr; i++)
			if (!look(&rings->ring[i]))
				bad = true;
		if (!bad)
			ring = oldest(rings, &bad);
	}
	if (bad) {
		errno = EBADMSG;
		return NULL;
	}
	if (!ring) {
		errno = 0;
		return NULL;
	}
	return take(rings, ring);
}

const void *perfctr_rings_raw(const struct vperfctr_rings *rings, size_t *size)
{
	*size = rings->raw_size;
	return rings->raw;
}

int vperfctr_rings_fd(const struct vperfctr_rings *rings)
{
	return rings->fd;
}

void vperfctr_rings_totals(const struct vperfctr_rings *rings,
			   struct vperfctr_rings_totals *totals)
{
	unsigned int i;

	memset(totals, 0, sizeof(*totals));
	for (i = 0; i < rings->nr; i++) {
		const struct perfctr_ring_page *page = rings->ring[i].page;

		totals->lost += __atomic_load_n(&page->lost, __ATOMIC_RELAXED);
		totals->skipped +=
			__atomic_load_n(&page->skipped, __ATOMIC_RELAXED);
	}
}

/* -------------------------------- opening -------------------------------- */

static void *map_ring(int fd, unsigned int cpu, size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)PERFCTR_RING_OFFSET(cpu));
}

static bool is_ring(const struct perfctr_ring_page *page, unsigned int cpu)
{
	return page->version == PERFCTR_ABI_VERSION_DEV && page->cpu == cpu &&
	       page->size >= PERFCTR_PAGE_BYTES &&
	       page->size <= MOST_PAGES * PERFCTR_PAGE_BYTES &&
	       !(page->size & (page->size - 1));
}

/* Of @pages data.  -1 and errno; EINVAL: it does not have that many. */
static int open_ring(struct ring *ring, int fd, unsigned int cpu,
		     unsigned int pages)
{
	uint32_t size = pages * PERFCTR_PAGE_BYTES;
	struct perfctr_ring_page *page;
	int error;

	page = map_ring(fd, cpu, PERFCTR_PAGE_BYTES + size);
	if (page == MAP_FAILED)
		return -1;
	if (!is_ring(page, cpu) || page->size != size) {
		error = is_ring(page, cpu) ? EINVAL : EPROTO;
		munmap(page, PERFCTR_PAGE_BYTES + size);
		errno = error;
		return -1;
	}
	ring->page = page;
	ring->data = (const unsigned char *)page + PERFCTR_PAGE_BYTES;
	ring->size = size;
	ring->tail = ring->head =
		WORDS(__atomic_load_n(&page->tail, __ATOMIC_RELAXED));
	return 0;
}

/* Only a ring's whole can be mapped: how many pages are that?  0 and errno. */
static unsigned int find_pages(int fd)
{
	struct ring ring;
	unsigned int pages;

	for (pages = 1; pages <= MOST_PAGES; pages *= 2) {
		if (open_ring(&ring, fd, 0, pages) == 0) {
			munmap(ring.page, PERFCTR_PAGE_BYTES + ring.size);
			return pages;
		}
		if (errno != EINVAL)
			return 0;
	}
	errno = EPROTO;
	return 0;
}

void vperfctr_rings_close(struct vperfctr_rings *rings)
{
	unsigned int i;

	if (!rings)
		return;
	for (i = 0; i < rings->nr; i++)
		if (rings->ring[i].page)
			munmap(rings->ring[i].page,
			       PERFCTR_PAGE_BYTES + rings->ring[i].size);
	if (rings->fd >= 0)
		close(rings->fd);
	free(rings);
}

struct vperfctr_rings *perfctr_rings_map(int fd, unsigned int pages)
{
	struct perfctr_dev_info info;
	struct vperfctr_rings *rings;
	unsigned int i;
	int error;

	if (perfctr_device_info(fd, &info) < 0)
		return NULL;
	if (!pages)
		pages = find_pages(fd);
	if (!pages)
		return NULL;
	rings = calloc(1, sizeof(*rings) + info.cpus * sizeof(struct ring));
	if (!rings)
		return NULL;
	rings->nr = info.cpus;
	rings->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (rings->fd < 0)
		goto err;
	for (i = 0; i < rings->nr; i++)
		if (open_ring(&rings->ring[i], fd, i, pages) < 0)
			goto err;
	return rings;

err:
	/* All of them have what was asked for. */
	error = errno == EINVAL ? EPROTO : errno;
	vperfctr_rings_close(rings);
	errno = error;
	return NULL;
}

struct vperfctr_rings *
perfctr_rings_open(int fd, const struct vperfctr_rings_control *control)
{
	struct perfctr_dev_ring ring = {.flags = 0};

	if (!control)
		return perfctr_rings_map(fd, 0);
	if (control->flags & ~(unsigned int)VPERFCTR_RINGS_CALLCHAIN ||
	    control->_reserved ||
	    (control->depth && !(control->flags & VPERFCTR_RINGS_CALLCHAIN))) {
		errno = EINVAL;
		return NULL;
	}
	ring.pages = control->pages ? control->pages : DEFAULT_PAGES;
	if (control->flags & VPERFCTR_RINGS_CALLCHAIN) {
		ring.flags = PERFCTR_RINGS_CALLCHAIN;
		ring.depth = control->depth ? control->depth
					    : PERFCTR_RINGS_MAX_DEPTH;
	}
	if (perfctr_device_ring(fd, &ring) < 0)
		return NULL;
	return perfctr_rings_map(fd, ring.pages);
}

struct vperfctr_rings *
vperfctr_rings_open(const struct vperfctr *self,
		    const struct vperfctr_rings_control *control)
{
	return perfctr_rings_open(self->fd, control);
}
