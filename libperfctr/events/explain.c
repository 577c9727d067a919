// SPDX-License-Identifier: LGPL-2.1-or-later
/* What errors mean that both perfex and the library meet. */

#include <errno.h>
#include <string.h>

#include "resolve.h"

void explain_open(int error, struct message *message)
{
	const char *path = perfctr_device_path();

	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		complain(
			message,
			"there is no %s: load the kernel module perfctr (as root: modprobe perfctr, or insmod perfctr.ko)",
			path);
		break;
	case EACCES:
	case EPERM:
		complain(
			message,
			"Permission denied to open %s: its mode (ls -l %s) says who may count; root can change it",
			path, path);
		break;
	default:
		complain(message, "%s: %s", path, strerror(error));
		break;
	}
}

void explain_denied(const struct event *event, struct message *message)
{
	complain(
		message,
		"event %s: the host's policy does not let this guest count it (xen-perfctr in dom0; perfctr_allow= or perfctr_deny= in xl.cfg)",
		event->name);
}
