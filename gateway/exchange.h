/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h: one HTTP request with its reply, as a state table: one row per legal pair of state and event, one
 * function that moves. An exchange belongs to the loop of its client; while a worker judges a body, that body belongs
 * to the job.
 */
#ifndef GW_EXCHANGE_H
#define GW_EXCHANGE_H

#include "base/buffer.h"
#include "gateway/action.h"
#include "gateway/client.h"
#include "gateway/hold.h"
#include "gateway/runtime.h"
#include "gateway/trace.h"
#include "gateway/upstream.h"

enum exchange_state {
    EX_IDLE,          /**< nothing was received */
    EX_HEAD,          /**< the request head is being received */
    EX_BODY,          /**< head accepted, runtime taken, body is being received */
    EX_HELD,          /**< request complete, its route is on hold */
    EX_QUEUED,        /**< request waits for a worker */
    EX_WORKING,       /**< a worker judges the request */
    EX_CONNECT,       /**< a connection to the upstream is sought or made */
    EX_FORWARD,       /**< the request is being sent */
    EX_REPLY_HEAD,    /**< sent; the final status is awaited */
    EX_REPLY_BODY,    /**< reply head accepted, body is being received */
    EX_REPLY_QUEUED,  /**< reply waits for a worker */
    EX_REPLY_WORKING, /**< a worker judges the reply */
    EX_REPLY_SEND,    /**< the reply is being sent to the client */
    EX_REFUSED,       /**< a refusal is being sent to the client */
    EX_ABORTED,       /**< nobody to tell */
    EX_DONE,          /**< logged and given back */
    EX_STATES
};

enum exchange_on {
    ON_BYTES,     /**< first octet */
    ON_HEAD,      /**< head accepted */
    ON_HOLD,      /**< request complete, its route is on hold */
    ON_WORK,      /**< message complete, actions are due */
    ON_READY,     /**< message complete or judged: it may go on */
    ON_BEGUN,     /**< a worker took it */
    ON_CONNECTED, /**< an upstream connection is there */
    ON_RETRY,     /**< the upstream connection failed, another one may be tried */
    ON_WRITTEN,   /**< the kernel took all of what was sent */
    ON_REPLY,     /**< final status received and accepted */
    ON_REFUSE,    /**< exchange_fail() has the answer ready */
    ON_ABORT,     /**< give up without an answer */
    ON_GONE,      /**< the client closed */
    ON_TIMER,     /**< the deadline of the state has passed */
    ON_END,       /**< everything is out */
    EX_EVENTS
};

/** Monotonic instants in microseconds, 0: not reached. */
struct exchange_marks {
    int64_t start, head, complete, hold, released, connect, connected, reply, send, end;
};

struct exchange {
    uint32_t magic;
    enum exchange_state state;
    enum exchange_state last_state; /**< in which it was refused or aborted, for the log */
    struct client *client;
    struct loop *loop;
    struct task destroy;
    struct exchange_marks mark;
    int64_t start_ms; /**< wall clock */
    char id[37];
    /* request */
    struct runtime *runtime; /**< reference; from HEAD on */
    const struct plan_route *route;
    struct http1 *parser;
    bool parser_done; /**< the request was read to its end */
    struct body body;
    uint64_t request_octets;
    struct job *request_job; /**< after its return: verdict and output, owned; before: the workers' */
    struct job *flow_job;    /**< owned, or on its way with a piece: of the message that is arriving; NULL: none */
    bool flow_tried[2];      /**< by response: whether to judge it while it arrives was decided */
    bool passes_unsigned;    /**< GET of a service description */
    bool counted;            /**< among those in flight on its route */
    bool shared[2];          /**< counted among those of the partner of route->share */
    char *user;              /**< owned; who was authorized, NULL: nobody was asked for */
    /* hold */
    struct hold_route *hold; /**< it waits for; borrowed from the plan; NULL: it does not */
    struct exchange *held_next, **held_place;
    bool under_way; /**< counted by its route's hold */
    /* upstream */
    char traceparent[TRACE_PARENT]; /**< made for this request, "" not */
    bool request_id_made;
    struct target *target;
    struct upstream_conn *upstream;
    unsigned address; /**< number of the address being tried */
    bool retried;
    bool target_tried; /**< this exchange is the one try of a target that was ejected */
    bool upstream_reused;
    const char *upstream_name; /**< of the plan: where the request was sent; NULL: nowhere */
    cs_buf upstream_head;
    struct http1 *reply_parser;
    bool reply_done;  /**< the reply was read to its end */
    bool reply_begun; /**< an octet of it was seen */
    bool reply_over_tls;
    bool reply_early; /**< it came before the request was fully sent */
    struct body reply_body;
    int upstream_status;
    uint64_t reply_octets;
    char unfit[64]; /**< what is wrong with the reply's status or head, on a monitored route */
    struct job *reply_job;
    bool may_repeat; /**< the request is kept until its reply was looked at: it may be signed again */
    /* towards the client */
    cs_buf client_head;
    char allow[256]; /**< methods that would have been served, for a 405 */
    int status;      /**< sent, 0: nothing was */
    uint64_t sent_octets;
    size_t unread; /**< octets that the peer being written to had not taken when its time was set */
    bool keep;     /**< the client connection may go on */
    bool client_gone;
    enum wssec_reason reason;
    char detail[384];
    bool fault_sent; /**< a SOAP fault with our id went out */
};

struct exchange_row {
    enum exchange_state state;
    enum exchange_on on;
    enum exchange_state next;
    void (*run)(struct exchange *ex); /**< called in the next state; NULL: nothing to do */
};

/** The table, for the transition function and its test. */
extern const struct exchange_row exchange_table[];
extern const size_t exchange_rows;
const char *exchange_state_word(enum exchange_state s); /**< "REPLY_HEAD" */
const char *exchange_on_word(enum exchange_on e);
/** @return the row of the pair, NULL: not legal */
const struct exchange_row *exchange_row(enum exchange_state s, enum exchange_on e);

/** A new exchange of client in state IDLE. @return NULL: no memory. It frees itself at its end. */
struct exchange *exchange_new(struct client *c);
/** Move. A pair without a row is a bug: logged, and the exchange is aborted (fail closed). */
void exchange_event(struct exchange *ex, enum exchange_on e);

/* What connections tell. */
size_t exchange_input(struct exchange *ex, const char *p, size_t n); /**< @return octets that belong to this request */
void exchange_client_drained(struct exchange *ex);
void exchange_client_progress(struct exchange *ex);
void exchange_upstream_connected(struct exchange *ex, int err);
/** The connection that is being made would come with a certificate that is replaced: make another one. */
void exchange_upstream_anew(struct exchange *ex);
void exchange_upstream_drained(struct exchange *ex);
void exchange_upstream_progress(struct exchange *ex);
void exchange_upstream_ended(struct exchange *ex, int err);
void exchange_reply_input(struct exchange *ex, const char *p, size_t n);

/* exchange_work.c */
/** More of a body is there: hand it to a worker where that is worth it. */
void exchange_arriving(struct exchange *ex, bool response);
/** Nobody waits for the pieces any more. */
void exchange_leave_flow(struct exchange *ex);
/** Address without its port: one host is one sender. */
void exchange_host(const char *address, char out[KS_SENDER]);
/** The message is refused whatever follows: what follows is not waited for. */
void exchange_request_cut(struct exchange *ex);
void exchange_reply_cut(struct exchange *ex);

/** Rate, concurrency and load of the route (exchange_admit.c), before the body is read. @return false: refused already
 */
bool exchange_admit(struct exchange *ex);
/** The end of what exchange_admit() counted. */
void exchange_release(struct exchange *ex);
/** May the client use the route by the keystore of now? The head was accepted. @return false: refused already */
bool exchange_authorize(struct exchange *ex);
/** Count it on its route, whatever the limit says: it had been let in before a hold. */
void exchange_count(struct exchange *ex);

/* Handlers of the table: request side, reply side, common. */
void exchange_request_begin(struct exchange *ex);
void exchange_request_wait_body(struct exchange *ex);
/** Hold, work or connect: what comes behind a request that is complete, or let go. */
void exchange_request_go_on(struct exchange *ex);
/** Route, method, content of the head by ex->runtime; a failure has answered already. @return false: refused */
bool exchange_request_accept(struct exchange *ex);
void exchange_request_submit(struct exchange *ex);
/** The receiver refused the key that is being tried: forget its reply, and sign again with the active one. */
void exchange_request_again(struct exchange *ex);
void exchange_request_connect(struct exchange *ex);
void exchange_request_forward(struct exchange *ex);
void exchange_request_sent(struct exchange *ex);
void exchange_reply_accept(struct exchange *ex);
void exchange_reply_submit(struct exchange *ex);
void exchange_reply_send(struct exchange *ex);
void exchange_refuse_send(struct exchange *ex);

/** The one way to fail. Sets reason, status or fault, log fields and counters together. The first cause wins. */
void exchange_fail(struct exchange *ex, enum wssec_reason reason, const char *fmt, ...) CS_PRINTF(3, 4);
/** ... when there is no room for so many octets of what ("a reply"). */
void exchange_fail_room(struct exchange *ex, enum body_room room, const char *what, uint64_t octets);
/** The same for what the HTTP layer found (its status) ... */
void exchange_fail_http(struct exchange *ex, const struct http1_failure *f);
/** ... and for a judged message. */
/** What stands in client_head is the whole answer, of our own: it is sent, and nothing was refused. */
void exchange_answered(struct exchange *ex);
void exchange_fail_verdict(struct exchange *ex, const struct wssec_verdict *v, bool response);
/** Give up without an answer. */
void exchange_abort(struct exchange *ex, enum wssec_reason reason);

/** The upstream connection is not needed any more. */
void exchange_leave_upstream(struct exchange *ex, bool reusable);
/** Jobs that are with a worker come back to nobody and free themselves. */
void exchange_leave_jobs(struct exchange *ex);
/** Give the peer that is written to its time; it counts from the last octet that it took. */
void exchange_write_timer(struct exchange *ex, const struct conn *peer);
/** Head and message as pieces for one writev; o NULL: the body. @return array owned by the caller, NULL: no memory */
struct iovec *exchange_pieces(const cs_buf *head, const struct body *body, const struct output *o, size_t *n);
/** The configuration that the exchange began with. */
const struct gw_config *exchange_config(const struct exchange *ex);

#endif
