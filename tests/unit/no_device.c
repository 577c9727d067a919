// SPDX-License-Identifier: GPL-2.0-or-later
/* What perfex's files without a device call of those with one: there is none. */

#include <errno.h>

#include "perfex.h"

int open_device(struct perfctr_dev_info *info, struct message *message)
{
	(void)info;
	return complain(message, "there is no device");
}
