/*
 * Preloaded into Dovecot: tells of a new mail at once. By itself it waits 500 ms for others that come with it, which
 * would hide what a client needs. All else that it waits for stays as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>

enum { GATHERING = 500 }; /* milliseconds, of all folders that are watched */

typedef void timeout_callback(void *context);
typedef void *timeout_adder(unsigned int, const char *, unsigned int, timeout_callback *, void *);

void *timeout_add_short(unsigned int wait, const char *file, unsigned int line, timeout_callback *call, void *context)
{
	static timeout_adder *original;

	if (!original)
		original = (timeout_adder *)dlsym(RTLD_NEXT, "timeout_add_short");
	return original(wait == GATHERING ? 0 : wait, file, line, call, context);
}
