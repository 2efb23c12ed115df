/* SPDX-License-Identifier: Apache-2.0 */
/* test_resolve.c: names of upstreams with a name service of our own: what is asked, how often, and what stays when it
 * fails. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "gateway/resolve.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "resolve";

static _Atomic unsigned asked;
static _Atomic unsigned last_octet; /* of the answer 192.0.2.N; 0: no answer */

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* The libc's own are replaced for the whole program. */
__attribute__((visibility("default"))) int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    struct in_addr literal;
    unsigned answer = atomic_load(&last_octet);
    bool numeric = inet_pton(AF_INET, host, &literal) == 1;
    if ((hints->ai_flags & AI_NUMERICHOST) != 0 && !numeric) {
        return EAI_NONAME;
    }
    if (!numeric) {
        atomic_fetch_add(&asked, 1);
        if (answer == 0) {
            return EAI_AGAIN;
        }
        literal.s_addr = htonl(0xc0000200U + answer);
    }
    struct sockaddr_in *sa = calloc(1, sizeof *sa);
    *out = calloc(1, sizeof **out);
    CU_ASSERT_FATAL(sa != NULL && *out != NULL);
    *sa = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr = literal, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    (*out)->ai_addr = (struct sockaddr *)sa;
    (*out)->ai_addrlen = sizeof *sa;
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
    free(list->ai_addr);
    free(list);
}

static bool address_is(struct resolve_name *n, const char *text)
{
    struct gw_address a;
    return resolve_address(n, 0, &a) && strcmp(a.text, text) == 0;
}

static bool comes(struct resolve_name *n, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        if (address_is(n, text)) {
            return true;
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    return false;
}

static void a_name_follows_its_service(void)
{
    struct resolver_thread r;
    CU_ASSERT_EQUAL_FATAL(resolver_start(&r), 0);
    atomic_store(&last_octet, 1);
    struct resolve_name *n = resolve_get(&r, "receiver.test", "80", 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(n);
    CU_ASSERT_TRUE(address_is(n, "192.0.2.1:80"));
    atomic_store(&last_octet, 2);
    CU_ASSERT_TRUE(comes(n, "192.0.2.2:80"));
    atomic_store(&last_octet, 0); /* the service is away */
    unsigned before = atomic_load(&asked);
    while (atomic_load(&asked) < before + 3) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CU_ASSERT_TRUE(address_is(n, "192.0.2.2:80"));
    atomic_store(&last_octet, 3);
    CU_ASSERT_TRUE(comes(n, "192.0.2.3:80"));
    resolve_unref(&r, n);
    resolver_stop(&r);
}

static void who_asks_most_often_decides(void)
{
    struct resolver_thread r;
    CU_ASSERT_EQUAL_FATAL(resolver_start(&r), 0);
    atomic_store(&last_octet, 1);
    struct resolve_name *slow = resolve_get(&r, "receiver.test", "80", 3600000);
    struct resolve_name *fast = resolve_get(&r, "receiver.test", "80", 20);
    CU_ASSERT_PTR_EQUAL(slow, fast);
    atomic_store(&last_octet, 4);
    CU_ASSERT_TRUE(comes(slow, "192.0.2.4:80"));
    resolve_unref(&r, slow);
    resolve_unref(&r, fast);
    CU_ASSERT_PTR_NULL(r.names);
    resolver_stop(&r);
}

static void an_address_is_never_asked_for(void)
{
    struct resolver_thread r;
    CU_ASSERT_EQUAL_FATAL(resolver_start(&r), 0);
    unsigned before = atomic_load(&asked);
    struct resolve_name *n = resolve_get(&r, "198.51.100.7", "8080", 1);
    struct resolve_name *name = resolve_get(&r, "receiver.test", "80", 5);
    CU_ASSERT_TRUE(address_is(n, "198.51.100.7:8080"));
    while (atomic_load(&asked) < before + 5) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CU_ASSERT_TRUE(n->literal);
    resolve_unref(&r, n);
    resolve_unref(&r, name);
    resolver_stop(&r);
}

const struct harness_test harness_tests[] = {
    {"a name follows its service and stays when it is away", a_name_follows_its_service},
    {"who asks most often decides for all", who_asks_most_often_decides},
    {"an address is never asked for", an_address_is_never_asked_for},
    {NULL, NULL},
};
