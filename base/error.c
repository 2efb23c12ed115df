/* SPDX-License-Identifier: Apache-2.0 */
/* error.c: the one error of a command; the first cause is kept, later ones are only its consequences. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

int cs_error_set(cs_error *e, int exit_code, const char *reason, const char *fmt, ...)
{
    va_list ap;
    if (e == NULL || e->exit_code != CS_EXIT_OK) {
        return -1;
    }
    e->exit_code = exit_code != CS_EXIT_OK ? exit_code : CS_EXIT_INTERNAL;
    cs_copy(e->reason, sizeof e->reason, reason);
    va_start(ap, fmt);
    if (vsnprintf(e->text, sizeof e->text, fmt, ap) < 0) {
        cs_copy(e->text, sizeof e->text, reason);
    }
    va_end(ap);
    return -1;
}

void cs_error_clear(cs_error *e)
{
    if (e != NULL) {
        memset(e, 0, sizeof *e);
    }
}
