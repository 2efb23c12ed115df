/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c: what the system offers to keep key octets inside of a process. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Room for the private numbers of some 15,000 RSA-3072 keys: a full heap would be a key that does not load. Pages are
 * taken, and locked, only when they are touched. */
#define HEAP     ((size_t)32 << 20)
#define SMALLEST 32

void cs_secret_start(void)
{
    /* 0: not there, keys then live in the ordinary heap; 2: there but not locked. Neither is a reason not to work */
    (void)CRYPTO_secure_malloc_init(HEAP, SMALLEST);
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* a core that goes through a pipe is not bound by the limit; a sanitizer must look inside to find leaks */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
