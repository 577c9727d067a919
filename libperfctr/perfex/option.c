// SPDX-License-Identifier: GPL-2.0-or-later
/* One option after the other, of each of perfex's command lines. */

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "perfex.h"

int option_next(int argc, char **argv, const char *letters,
		const struct option *names, const char *command,
		struct message *message)
{
	/* Of letters that stand together, all are in the one argument. */
	const char *text = argv[optind ? optind : 1];
	int option = getopt_long(argc, argv, letters, names, NULL);
	char letter[3] = "-";

	if (option != '?' && option != ':')
		return option;
	/* A long one, or what is no letter, is told as it was given. */
	if (strncmp(text, "--", 2) && isgraph((unsigned char)optopt)) {
		letter[1] = (char)optopt;
		text = letter;
	}
	if (option == ':')
		complain(message,
			 "option %s needs an argument (%s -h explains)", text,
			 command);
	else
		complain(message, "unknown option %s (%s -h lists the options)",
			 text, command);
	return '?';
}
