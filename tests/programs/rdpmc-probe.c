// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rdpmc-probe [INDEX]: executes RDPMC without having counters, and prints what
 * it got.  It should get SIGSEGV.
 */

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	unsigned int index =
		argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 0;
	unsigned int low, high;

	__asm__ __volatile__("rdpmc" : "=a"(low), "=d"(high) : "c"(index));
	printf("0x%llx\n", (unsigned long long)high << 32 | low);
	return 0;
}
