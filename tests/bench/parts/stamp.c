/*
 * stamp LOG: the smallest handler. Notes when it began, reads the mail from its standard input to the end, and adds one
 * line to LOG: the number in its header X-Case, and the time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words)
{
	static char begin[16384], rest[65536];
	static const char mark[] = "X-Case: ";
	struct timespec now;
	size_t filled = 0;
	ssize_t got;
	char line[96];

	clock_gettime(CLOCK_REALTIME, &now);
	if (count < 2)
		return 64;
	while (filled < sizeof begin - 1 && (got = read(0, begin + filled, sizeof begin - 1 - filled)) > 0)
		filled += got;
	while (read(0, rest, sizeof rest) > 0)
		;
	char *found = memmem(begin, filled, mark, sizeof mark - 1);
	if (!found)
		return 65;
	long number = 0;
	for (char *digit = found + sizeof mark - 1; *digit >= '0' && *digit <= '9'; digit++)
		number = number * 10 + *digit - '0';
	int size = snprintf(line, sizeof line, "%ld %lld.%09ld\n", number, (long long)now.tv_sec, now.tv_nsec);
	int log = open(words[1], O_WRONLY | O_APPEND | O_CREAT, 0644);
	return write(log, line, size) == size ? 0 : 75;
}
