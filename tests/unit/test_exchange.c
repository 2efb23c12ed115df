/* SPDX-License-Identifier: Apache-2.0 */
/* test_exchange.c: the state table of exchanges, walked pair by pair against what each state may meet. */
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

#include "gateway/exchange.h"

const char *const harness_suite = "exchange";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* One line per state: event letter and next state. Written down apart from the code, from the description of the
 * states. */
struct expectation {
    enum exchange_state state;
    struct {
        enum exchange_on on;
        enum exchange_state next;
    } move[8];
    unsigned n;
};

static const struct expectation expected[] = {
    {EX_IDLE, {{ON_BYTES, EX_HEAD}}, 1},
    {EX_HEAD,
     {{ON_HEAD, EX_BODY}, {ON_TIMER, EX_HEAD}, {ON_REFUSE, EX_REFUSED}, {ON_ABORT, EX_ABORTED}, {ON_GONE, EX_ABORTED}},
     5},
    {EX_BODY,
     {{ON_HOLD, EX_HELD},
      {ON_WORK, EX_QUEUED},
      {ON_READY, EX_CONNECT},
      {ON_TIMER, EX_BODY},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_ABORTED}},
     7},
    {EX_HELD,
     {{ON_HOLD, EX_HELD},
      {ON_WORK, EX_QUEUED},
      {ON_READY, EX_CONNECT},
      {ON_TIMER, EX_HELD},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_ABORTED}},
     7},
    {EX_QUEUED,
     {{ON_BEGUN, EX_WORKING},
      {ON_TIMER, EX_QUEUED},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_ABORTED}},
     5},
    {EX_WORKING,
     {{ON_READY, EX_CONNECT},
      {ON_TIMER, EX_WORKING},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_ABORTED}},
     5},
    {EX_CONNECT,
     {{ON_CONNECTED, EX_FORWARD},
      {ON_RETRY, EX_CONNECT},
      {ON_TIMER, EX_CONNECT},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_ABORTED}},
     6},
    {EX_FORWARD,
     {{ON_WRITTEN, EX_REPLY_HEAD},
      {ON_REPLY, EX_REPLY_BODY},
      {ON_RETRY, EX_CONNECT},
      {ON_TIMER, EX_FORWARD},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_FORWARD}},
     7},
    {EX_REPLY_HEAD,
     {{ON_REPLY, EX_REPLY_BODY},
      {ON_RETRY, EX_CONNECT},
      {ON_TIMER, EX_REPLY_HEAD},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_REPLY_HEAD}},
     6},
    {EX_REPLY_BODY,
     {{ON_WORK, EX_REPLY_QUEUED},
      {ON_READY, EX_REPLY_SEND},
      {ON_TIMER, EX_REPLY_BODY},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_REPLY_BODY}},
     6},
    {EX_REPLY_QUEUED,
     {{ON_BEGUN, EX_REPLY_WORKING},
      {ON_TIMER, EX_REPLY_QUEUED},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_REPLY_QUEUED}},
     5},
    {EX_REPLY_WORKING,
     {{ON_READY, EX_REPLY_SEND},
      {ON_WORK, EX_QUEUED},
      {ON_TIMER, EX_REPLY_WORKING},
      {ON_REFUSE, EX_REFUSED},
      {ON_ABORT, EX_ABORTED},
      {ON_GONE, EX_REPLY_WORKING}},
     6},
    {EX_REPLY_SEND,
     {{ON_WRITTEN, EX_DONE}, {ON_TIMER, EX_REPLY_SEND}, {ON_ABORT, EX_ABORTED}, {ON_GONE, EX_ABORTED}},
     4},
    {EX_REFUSED, {{ON_WRITTEN, EX_DONE}, {ON_TIMER, EX_REFUSED}, {ON_ABORT, EX_ABORTED}, {ON_GONE, EX_ABORTED}}, 4},
    {EX_ABORTED, {{ON_END, EX_DONE}}, 1},
    {EX_DONE, {{ON_BYTES, EX_DONE}}, 0},
};

static bool find(enum exchange_state s, enum exchange_on on, enum exchange_state *next)
{
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        for (unsigned k = 0; expected[i].state == s && k < expected[i].n; k++) {
            if (expected[i].move[k].on == on) {
                *next = expected[i].move[k].next;
                return true;
            }
        }
    }
    return false;
}

static void every_pair(void)
{
    CU_ASSERT_EQUAL(sizeof expected / sizeof expected[0], EX_STATES);
    for (int s = 0; s < EX_STATES; s++) {
        for (int on = 0; on < EX_EVENTS; on++) {
            enum exchange_state next = EX_IDLE;
            const struct exchange_row *row = exchange_row((enum exchange_state)s, (enum exchange_on)on);
            bool legal = find((enum exchange_state)s, (enum exchange_on)on, &next);
            if (legal != (row != NULL) || (row != NULL && row->next != next)) {
                printf("  # %s on %s: %s, expected %s\n", exchange_state_word((enum exchange_state)s),
                       exchange_on_word((enum exchange_on)on),
                       row != NULL ? exchange_state_word(row->next) : "not legal",
                       legal ? exchange_state_word(next) : "not legal");
                CU_FAIL("the table differs from the description");
            }
        }
    }
}

static void each_pair_once(void)
{
    for (size_t i = 0; i < exchange_rows; i++) {
        for (size_t k = i + 1; k < exchange_rows; k++) {
            CU_ASSERT_FALSE(exchange_table[i].state == exchange_table[k].state &&
                            exchange_table[i].on == exchange_table[k].on);
        }
    }
}

static void reach(enum exchange_state s, bool seen[EX_STATES])
{
    if (seen[s]) {
        return;
    }
    seen[s] = true;
    for (size_t i = 0; i < exchange_rows; i++) {
        if (exchange_table[i].state == s) {
            reach(exchange_table[i].next, seen);
        }
    }
}

static void every_state_is_reached_and_ends(void)
{
    bool from_idle[EX_STATES] = {false};
    reach(EX_IDLE, from_idle);
    for (int s = 0; s < EX_STATES; s++) {
        bool from_here[EX_STATES] = {false};
        CU_ASSERT_TRUE(from_idle[s]);
        reach((enum exchange_state)s, from_here);
        CU_ASSERT_TRUE(from_here[EX_DONE]);
    }
    for (int on = 0; on < EX_EVENTS; on++) {
        CU_ASSERT_PTR_NULL(exchange_row(EX_DONE, (enum exchange_on)on));
    }
}

/* Nothing is sent to a client that no path through judging or refusing has led to. */
static void a_checked_reply_is_sent_only_when_judged(void)
{
    for (size_t i = 0; i < exchange_rows; i++) {
        const struct exchange_row *r = &exchange_table[i];
        if (r->next == EX_REPLY_SEND && r->state != EX_REPLY_SEND) {
            CU_ASSERT_EQUAL(r->on, ON_READY);
            CU_ASSERT_TRUE(r->state == EX_REPLY_BODY || r->state == EX_REPLY_WORKING);
        }
        if (r->next == EX_CONNECT && r->on == ON_READY) {
            CU_ASSERT_TRUE(r->state == EX_BODY || r->state == EX_HELD || r->state == EX_WORKING);
        }
    }
}

static void words_are_there(void)
{
    for (int s = 0; s < EX_STATES; s++) {
        for (int t = 0; t < s; t++) {
            CU_ASSERT_STRING_NOT_EQUAL(exchange_state_word((enum exchange_state)s),
                                       exchange_state_word((enum exchange_state)t));
        }
    }
    for (int e = 0; e < EX_EVENTS; e++) {
        for (int t = 0; t < e; t++) {
            CU_ASSERT_STRING_NOT_EQUAL(exchange_on_word((enum exchange_on)e), exchange_on_word((enum exchange_on)t));
        }
    }
    CU_ASSERT_STRING_EQUAL(exchange_state_word(EX_REPLY_HEAD), "REPLY_HEAD");
    CU_ASSERT_STRING_EQUAL(exchange_state_word(EX_STATES), "?");
    CU_ASSERT_STRING_EQUAL(exchange_on_word(ON_GONE), "gone");
}

const struct harness_test harness_tests[] = {
    {"every pair of state and event is as described, or not legal", every_pair},
    {"no pair has two rows", each_pair_once},
    {"every state is reached and leads to the end", every_state_is_reached_and_ends},
    {"what is sent on was judged, or needs no judging", a_checked_reply_is_sent_only_when_judged},
    {"states and events have words of their own", words_are_there},
    {NULL, NULL},
};
