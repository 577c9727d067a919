/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that say themselves, in TAP, what is right. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned int tests, failures;

static __attribute__((format(printf, 2, 3))) void ok(bool good,
						     const char *format, ...)
{
	int error = errno;
	va_list arguments;

	failures += !good;
	printf("%sok %u - ", good ? "" : "not ", ++tests);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	if (!good)
		printf("# errno: %s\n", strerror(error));
	fflush(stdout);
}

#endif /* TESTS_TAP_H */
