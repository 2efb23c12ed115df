/* SPDX-License-Identifier: Apache-2.0 */
/* passphrase.c: a passphrase from a file, or typed without echo. */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE_MAX 1024

static int from_file(struct cli_context *c, const char *path, char *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, out, PASSPHRASE_MAX + 1) : -1;
    if (n < 0) {
        cs_error_set(&c->error, CS_EXIT_UNREADABLE, "passphrase-unreadable", "%.512s cannot be read: %s", path,
                     strerror(errno));
    } else if (n > PASSPHRASE_MAX) {
        cs_error_set(&c->error, CS_EXIT_USAGE, "passphrase", "%.512s is no passphrase: longer than %d octets", path,
                     PASSPHRASE_MAX);
        n = -1;
    } else if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
        cli_warn(c, "%.512s is open to others; close it with: chmod 600 %.512s", path, path);
    }
    if (fd >= 0) {
        close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return n < 0 ? -1 : 0;
}

int cli_passphrase_read(struct cli_context *c, const char *prompt, bool twice, char **out)
{
    const char *file = cli_option(c, "passphrase-file");
    int rc = 0;
    *out = NULL;
    if (file == NULL && !cli_given(c, "askpass")) {
        return 0;
    }
    char *text = OPENSSL_secure_zalloc(PASSPHRASE_MAX + 2);
    if (text == NULL) {
        return cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (file != NULL) {
        rc = from_file(c, file, text);
    } else if (EVP_read_pw_string_min(text, 0, PASSPHRASE_MAX, prompt, twice) != 0) {
        rc = cs_error_set(&c->error, CS_EXIT_USAGE, "passphrase",
                          "no passphrase was typed; without a terminal: --passphrase-file FILE");
    }
    if (rc == 0) {
        *out = text;
        return 0;
    }
    cli_passphrase_free(text);
    return -1;
}

void cli_passphrase_free(char *passphrase)
{
    OPENSSL_secure_clear_free(passphrase, PASSPHRASE_MAX + 2);
}
