/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tripwire.c: whatever a message refers to outside of itself, nothing is opened and nothing is connected to. The
 * calls that could do so are taken the place of here, for this program and every library that it has loaded.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "tests/unit/judging.h"

const char *const harness_suite = "tripwire";

#define EXPORTED __attribute__((visibility("default")))

static struct maker_key rsa;
static bool armed;
static unsigned tripped;
static char where[256];

static void trip(const char *call, const char *what)
{
    if (armed) {
        tripped++;
        snprintf(where, sizeof where, "%s %s", call, what != NULL ? what : "");
    }
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

EXPORTED FILE *fopen(const char *path, const char *mode)
{
    trip("fopen", path);
    return REAL(fopen)(path, mode);
}

EXPORTED FILE *fopen64(const char *path, const char *mode)
{
    trip("fopen64", path);
    return REAL(fopen64)(path, mode);
}

static mode_t mode_of(int flags, va_list ap)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

EXPORTED int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    trip("open", path);
    return REAL(open)(path, flags, mode);
}

EXPORTED int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    trip("open64", path);
    return REAL(open64)(path, flags, mode);
}

EXPORTED int socket(int domain, int type, int protocol)
{
    trip("socket", NULL);
    return REAL(socket)(domain, type, protocol);
}

EXPORTED int connect(int fd, const struct sockaddr *to, socklen_t n)
{
    trip("connect", NULL);
    return REAL(connect)(fd, to, n);
}

int harness_setup(void)
{
    return judging_begin_with(&rsa, NULL);
}

int harness_teardown(void)
{
    return judging_end_with(&rsa, NULL);
}

static void the_wire_is_live(void)
{
    armed = true;
    BIO *file = BIO_new_file("/dev/null", "r");
    unsigned by_file = tripped;
    int fd = BIO_socket(AF_INET, SOCK_STREAM, 0, 0);
    armed = false;
    CU_ASSERT_PTR_NOT_NULL(file);
    CU_ASSERT_NOT_EQUAL(by_file, 0);
    CU_ASSERT_TRUE(tripped > by_file);
    BIO_free(file);
    BIO_closesocket(fd);
    tripped = 0;
}

/* what gives way to by in a good message */
static const struct {
    const char *name, *what, *by;
} outside[] = {
    {"nothing", "<S:Header>", "<S:Header>"},
    {"Reference to http", "URI=\"#Body\"", "URI=\"http://127.0.0.1:1/body\""},
    {"Reference to a file", "URI=\"#Body\"", "URI=\"file:///etc/passwd\""},
    {"Reference to a path", "URI=\"#Body\"", "URI=\"/etc/passwd\""},
    {"Reference to an attachment", "URI=\"#Body\"", "URI=\"cid:1\""},
    {"XPointer to a file", "URI=\"#Body\"", "URI=\"/etc/passwd#xpointer(/)\""},
    {"key reference to http", "URI=\"#X509\"", "URI=\"http://127.0.0.1:1/cert\""},
    {"RetrievalMethod", "</ds:KeyInfo>", "<ds:RetrievalMethod URI=\"file:///etc/passwd\"/></ds:KeyInfo>"},
    {"KeyInfoReference", "</ds:KeyInfo>",
     "<d:KeyInfoReference xmlns:d=\"http://www.w3.org/2009/xmldsig11#\" URI=\"http://127.0.0.1:1/\"/></ds:KeyInfo>"},
    {"external subset", "<S:Envelope", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><S:Envelope"},
    {"external entity", "<S:Envelope", "<!DOCTYPE x [<!ENTITY e SYSTEM \"http://127.0.0.1:1/\">]><S:Envelope"},
    {"parameter entity", "<S:Envelope", "<!DOCTYPE x [<!ENTITY % e SYSTEM \"file:///etc/passwd\"> %e;]><S:Envelope"},
    {"XInclude", "<S:Header>",
     "<S:Header><i:include xmlns:i=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\" parse=\"text\"/>"},
    {"schemaLocation", "<S:Header>",
     "<S:Header xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:schemaLocation=\"urn:x file:///etc/passwd\">"},
    {"xop:Include", "<S:Header>",
     "<S:Header><x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"file:///etc/passwd\"/>"},
    {"style sheet", "<S:Envelope", "<?xml-stylesheet href=\"file:///etc/passwd\"?><S:Envelope"},
    {"XSLT", "<ds:Transforms>",
     "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><s:stylesheet "
     "xmlns:s=\"http://www.w3.org/1999/XSL/Transform\"><s:include href=\"file:///etc/passwd\"/></s:stylesheet>"
     "</ds:Transform>"},
};

static void nothing_outside_of_a_message_is_touched(void)
{
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        char *text = maker_replace(maker_message(&(struct maker){.key = &rsa}), outside[i].what, outside[i].by);
        struct wssec_policy *p = policy_of(NULL, 0);
        armed = true;
        judge_with(text, p, &live, NULL);
        armed = false;
        CU_ASSERT_EQUAL(tripped, 0);
        if (tripped != 0) {
            printf("  # %s: %s\n", outside[i].name, where);
            tripped = 0;
        }
        CU_ASSERT_TRUE(i != 0 || v.verdict == WSSEC_PASS);
        wssec_policy_unref(p);
        free(text);
    }
}

const struct harness_test harness_tests[] = {
    {"the wire is live", the_wire_is_live},
    {"nothing outside of a message is touched", nothing_outside_of_a_message_is_touched},
    {NULL, NULL},
};
