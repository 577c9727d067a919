/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka wants these before itself, in this order. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#endif /* TESTS_UNIT_H */
