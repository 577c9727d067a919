// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Lists of events: EVENT[,EVENT]..., where {EVENT,EVENT...}[:MODE]... are a
 * group, whose events always have their turn together.
 */

#include <stdlib.h>
#include <string.h>

#include "resolve.h"

/* "branches@0" and ":k" to "branches:k@0". */
static char *join(const char *text, size_t length, const char *modes,
		  size_t modes_length)
{
	const char *at = memchr(text, '@', length);
	size_t name = at ? (size_t)(at - text) : length;
	char *joined = malloc(length + modes_length + 1);

	if (!joined)
		return NULL;
	memcpy(joined, text, name);
	memcpy(joined + name, modes, modes_length);
	memcpy(joined + name + modes_length, text + name, length - name);
	joined[length + modes_length] = '\0';
	return joined;
}

struct list {
	char **texts;
	unsigned int *groups;
	unsigned int *nr, most;
};

static int add(struct list *list, const char *text, size_t length,
	       const char *modes, size_t modes_length, unsigned int group,
	       struct message *message)
{
	char *joined;

	if (!length)
		return complain(
			message,
			"%san event is missing (perfex -l lists events)",
			wording.list);
	if (*list->nr == list->most)
		return complain(message, "too many events: %u at most",
				list->most);
	joined = join(text, length, modes, modes_length);
	if (!joined)
		return complain(message, "out of memory");
	if (list->groups)
		list->groups[*list->nr] = group;
	list->texts[(*list->nr)++] = joined;
	return 0;
}

unsigned int events_next_group(const unsigned int *groups, unsigned int nr)
{
	unsigned int i, last = 0;

	for (i = 0; i < nr; i++)
		if (groups[i] > last)
			last = groups[i];
	return last + 1;
}

/* From "{" to the "," behind it or the end: how long; -1 with @message. */
static int add_group(struct list *list, const char *text,
		     struct message *message)
{
	size_t inside = strcspn(text + 1, "{}");
	const char *close = text + 1 + inside, *at = text + 1;
	size_t modes = *close ? strcspn(close + 1, ",") : 0;
	unsigned int group;

	if (!list->groups)
		return complain(
			message,
			"%sgroups in braces are %s: name the events without them",
			wording.list, wording.no_groups);
	if (*close != '}')
		return complain(
			message,
			"%sa group is written {EVENT,EVENT}: a brace is not closed in %.60s",
			wording.list, text);
	if (modes && (close[1] != ':' || strspn(close + 1, ":ukh") != modes))
		return complain(
			message,
			"%sonly :u, :k, :h, or a comma and another event may follow a group, not %.*s",
			wording.list, (int)(modes < 40 ? modes : 40),
			close + 1);
	group = events_next_group(list->groups, *list->nr);
	for (;;) {
		size_t length = strcspn(at, ",}");

		if (add(list, at, length, close + 1, modes, group, message) < 0)
			return -1;
		at += length;
		if (*at++ == '}')
			return (int)(1 + inside + 1 + modes);
	}
}

int events_add(char **texts, unsigned int *groups, unsigned int *nr,
	       unsigned int most, const char *text, struct message *message)
{
	struct list list = {texts, groups, nr, most};

	for (;;) {
		size_t length = strcspn(text, ",");

		if (*text == '{') {
			int group = add_group(&list, text, message);

			if (group < 0)
				return -1;
			length = (size_t)group;
		} else if (memchr(text, '{', length) ||
			   memchr(text, '}', length)) {
			return complain(
				message,
				"%sa group is written {EVENT,EVENT}: the brace in %.60s does not begin one",
				wording.list, text);
		} else if (add(&list, text, length, "", 0, 0, message) < 0) {
			return -1;
		}
		if (!text[length])
			return 0;
		text += length + 1;
	}
}
