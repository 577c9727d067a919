// SPDX-License-Identifier: GPL-2.0-or-later
/* What Xen's files register when the program begins, and how its command line is read. */

#include <asm/perfctr.h>

int (*xen_host_initcall)(void);
int (*xen_host_param)(const char *);
struct notifier_block *xen_host_notifier;

void xen_host_add_initcall(int (*call)(void))
{
	assert(!xen_host_initcall);
	xen_host_initcall = call;
}

void xen_host_add_param(int (*parse)(const char *))
{
	assert(!xen_host_param);
	xen_host_param = parse;
}

void register_cpu_notifier(struct notifier_block *nb)
{
	xen_host_notifier = nb;
}

int parse_bool(const char *s, const char *e)
{
	(void)e;
	if (!strcmp(s, "on") || !strcmp(s, "1"))
		return 1;
	return !strcmp(s, "off") || !strcmp(s, "0") ? 0 : -1;
}

/* Up to the end of @name, behind which @frag may go on with the next word. */
int cmdline_strcmp(const char *frag, const char *name)
{
	size_t n = strlen(name);
	int rc = strncmp(frag, name, n);

	return rc ? rc : frag[n] && !strchr(",:;=", frag[n]);
}
