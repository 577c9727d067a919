// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * factor NUMBER BASE: Shor's algorithm on libquantum's simulated quantum
 * computer, as 462.libquantum does it, with the same random numbers each time.
 */

#include <quantum.h>
#include <stdio.h>
#include <stdlib.h>

static int bits(int number)
{
	int n = 0;

	for (; number; number >>= 1)
		n++;
	return n;
}

static int greatest_common_divisor(int a, int b)
{
	while (b) {
		int rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static int power(int base, int exponent, int modulus)
{
	long result = 1;

	while (exponent--)
		result = result * base % modulus;
	return (int)result;
}

int main(int argc, char **argv)
{
	int number, base, width, local, period, measured, half;
	quantum_reg reg;

	if (argc != 3) {
		fprintf(stderr, "usage: factor NUMBER BASE\n");
		return 2;
	}
	number = atoi(argv[1]);
	base = atoi(argv[2]);
	srand(1);
	width = bits(number * number);
	local = bits(number);
	for (int attempt = 1; attempt <= 10; attempt++) {
		reg = quantum_new_qureg(0, width);
		for (int i = 0; i < width; i++)
			quantum_hadamard(i, &reg);
		quantum_addscratch(3 * local + 2, &reg);
		quantum_exp_mod_n(number, base, width, local, &reg);
		for (int i = 0; i < 3 * local + 2; i++)
			quantum_bmeasure(0, &reg);
		quantum_qft(width, &reg);
		for (int i = 0; i < width / 2; i++) {
			quantum_cnot(i, width - i - 1, &reg);
			quantum_cnot(width - i - 1, i, &reg);
			quantum_cnot(i, width - i - 1, &reg);
		}
		measured = (int)quantum_measure(reg);
		quantum_delete_qureg(&reg);
		period = 1 << width;
		if (measured <= 0)
			continue;
		quantum_frac_approx(&measured, &period, local);
		printf("attempt %d: fraction %d/%d\n", attempt, measured,
		       period);
		if (period % 2 && 2 * period < (1 << local))
			period *= 2;
		if (period % 2)
			continue;
		half = power(base, period / 2, number);
		for (int sign = -1; sign <= 1; sign += 2) {
			int factor =
				greatest_common_divisor(number, half + sign);

			if (factor > 1 && factor < number) {
				printf("%d = %d * %d\n", number, factor,
				       number / factor);
				return 0;
			}
		}
	}
	printf("not found\n");
	return 1;
}
