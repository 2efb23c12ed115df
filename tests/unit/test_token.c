/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c: what a worker remembers of tokens never gives one for another. */
#include "tests/unit/harness.h"

#include <libxml/tree.h>
#include <string.h>

#include "base/text.h"
#include "wssec/token.h"

const char *const harness_suite = "token";

#define OCTETS 600

static struct wssec_tokens tokens;
static struct wssec_arena arena;

int harness_setup(void)
{
    char err[200];
    return wssec_init(NULL, err, sizeof err);
}

int harness_teardown(void)
{
    wssec_tokens_free(&tokens);
    wssec_arena_free(&arena);
    return 0;
}

/* Octets of a kind, all alike but the one at place; their text behind blanks. */
static xmlNodePtr element(uint8_t kind, size_t place, uint8_t octets[OCTETS])
{
    char text[2 + (OCTETS + 2) / 3 * 4 + 1] = "\n ";
    memset(octets, 'a', OCTETS);
    octets[place] = kind;
    CU_ASSERT_FATAL(EVP_EncodeBlock((unsigned char *)text + 2, octets, OCTETS) > 0);
    xmlNodePtr node = xmlNewNode(NULL, (const xmlChar *)"token");
    xmlNodeAddContent(node, (const xmlChar *)text);
    return node;
}

static bool is_right(uint8_t kind, size_t place)
{
    uint8_t octets[OCTETS];
    uint8_t want[32];
    uint8_t got[32] = {0};
    int rc = WSSEC_RC_OK;
    xmlNodePtr node = element(kind, place, octets);
    struct wssec_slice out = wssec_token_octets(&tokens, &arena, node, OCTETS, got, &rc);
    bool right = rc == WSSEC_RC_OK && out.p != NULL && out.n == OCTETS && memcmp(out.p, octets, OCTETS) == 0 &&
                 EVP_Digest(octets, OCTETS, want, NULL, EVP_sha256(), NULL) == 1 && memcmp(want, got, sizeof got) == 0;
    xmlFreeNode(node);
    return right;
}

static void each_token_is_its_own(void)
{
    static const size_t place[] = {0, 1, OCTETS / 2, OCTETS - 1};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof place / sizeof place[0]; i++) {
            CU_ASSERT(is_right('b', place[i]));
            CU_ASSERT(is_right('c', place[i]));
        }
    }
    for (unsigned i = 0; i < 3 * WSSEC_TOKENS; i++) { /* more than are remembered */
        CU_ASSERT(is_right((uint8_t)i, 7));
    }
    CU_ASSERT(is_right('b', 0));
}

static void what_is_too_long_is_refused_although_it_is_remembered(void)
{
    uint8_t octets[OCTETS];
    uint8_t digest[32];
    int rc = WSSEC_RC_OK;
    CU_ASSERT(is_right('d', 3));
    xmlNodePtr node = element('d', 3, octets);
    CU_ASSERT_PTR_NULL(wssec_token_octets(&tokens, &arena, node, OCTETS - 1, digest, &rc).p);
    CU_ASSERT_EQUAL(rc, WSSEC_RC_OK);
    xmlFreeNode(node);
    CU_ASSERT(is_right('d', 3));
}

static void what_is_no_base64_is_refused_each_time(void)
{
    uint8_t digest[32];
    int rc = WSSEC_RC_OK;
    xmlNodePtr node = xmlNewNode(NULL, (const xmlChar *)"token");
    xmlNodeAddContent(node, (const xmlChar *)"TUlJ*");
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_NULL(wssec_token_octets(&tokens, &arena, node, OCTETS, digest, &rc).p);
    }
    CU_ASSERT_EQUAL(rc, WSSEC_RC_OK);
    xmlFreeNode(node);
}

static void a_result_does_not_change_when_its_text_is_forgotten(void)
{
    uint8_t octets[OCTETS];
    uint8_t digest[32];
    int rc = WSSEC_RC_OK;
    xmlNodePtr node = element('e', 5, octets);
    struct wssec_slice first = wssec_token_octets(&tokens, &arena, node, OCTETS, digest, &rc);
    struct wssec_slice again = wssec_token_octets(&tokens, &arena, node, OCTETS, digest, &rc);
    for (unsigned i = 0; i < 2 * WSSEC_TOKENS; i++) {
        CU_ASSERT(is_right((uint8_t)i, 9));
    }
    CU_ASSERT(first.p != NULL && memcmp(first.p, octets, OCTETS) == 0);
    CU_ASSERT(again.p != NULL && memcmp(again.p, octets, OCTETS) == 0);
    xmlFreeNode(node);
}

const struct harness_test harness_tests[] = {
    {"each token is its own", each_token_is_its_own},
    {"what is too long is refused although it is remembered", what_is_too_long_is_refused_although_it_is_remembered},
    {"what is no base64 is refused each time", what_is_no_base64_is_refused_each_time},
    {"a result does not change when its text is forgotten", a_result_does_not_change_when_its_text_is_forgotten},
    {NULL, NULL},
};
