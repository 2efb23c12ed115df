/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver.c: a SOAP service that signs what it answers, with libwssec alone. It stands for the partner's system.
 *
 * receiver [--port N] --certificate FILE --key FILE [--certificate FILE --key FILE]… [--require-signed-by FILE]
 *          [--wsdl FILE] [--records N] [--delay-ms N] [--fault | --plain-fault | --unsigned]
 *
 * Prints "listening PORT", then "signing with FILE" at the start and on each SIGUSR1, which goes on to the next pair.
 * One thread per connection, one libwssec worker per thread.
 */
#include "samples/common/http.h"
#include "samples/common/identity.h"
#include "wssec/wssec.h"

#include <getopt.h>
#include <libxml/parser.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOAP11 "http://schemas.xmlsoap.org/soap/envelope/"
#define SOAP12 "http://www.w3.org/2003/05/soap-envelope"

enum { PAIRS_MAX = 8, RECORDS_MAX = 200000 };
enum answer { ANSWER_ORDER, ANSWER_FAULT, ANSWER_PLAIN_FAULT, ANSWER_UNSIGNED };

struct receiver {
    struct identity pair[PAIRS_MAX];
    size_t n_pair;
    _Atomic size_t active;  /* index into pair; written by the signal thread only */
    struct identity client; /* who must have signed the requests */
    bool require_signed;
    struct wssec_policy *policy; /* for requests; frozen */
    enum answer answer;
    long records;
    long delay_ms;
    char *wsdl; /* owned; NULL: none */
};

/* What a request is about. */
struct order {
    bool soap12;
    char number[64];
};

/* ---- reading requests -------------------------------------------------------------------------------------------- */

static const xmlNode *first_element(const xmlNode *parent, const char *name)
{
    for (const xmlNode *n = parent != NULL ? parent->children : NULL; n != NULL; n = n->next) {
        if (n->type == XML_ELEMENT_NODE && (name == NULL || strcmp((const char *)n->name, name) == 0)) {
            return n;
        }
    }
    return NULL;
}

/** Find version and order number. @return 0, or -1: no SOAP message */
static int order_read(const struct http_message *request, struct order *order)
{
    *order = (struct order){.number = "0"};
    if (request->body_n > INT_MAX) {
        return -1;
    }
    int rc = -1;
    xmlDoc *doc = xmlReadMemory(request->body, (int)request->body_n, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *root = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    if (root == NULL || root->ns == NULL || strcmp((const char *)root->name, "Envelope") != 0) {
        goto out;
    }
    order->soap12 = strcmp((const char *)root->ns->href, SOAP12) == 0;
    const xmlNode *number = first_element(first_element(first_element(root, "Body"), NULL), "number");
    if (number != NULL) {
        xmlChar *text = xmlNodeGetContent(number);
        size_t n = text != NULL ? strspn((const char *)text, "0123456789-") : 0;
        if (n > 0) {
            snprintf(order->number, sizeof order->number, "%.*s", (int)n, (const char *)text);
        }
        xmlFree(text);
    }
    rc = 0;
out:
    xmlFreeDoc(doc);
    return rc;
}

/** Is the request signed by the client that we know? */
static bool request_signed(const struct receiver *r, struct wssec_worker *worker, const struct http_message *request,
                           struct wssec_verdict *verdict)
{
    const struct wssec_slice body = {(const uint8_t *)request->body, request->body_n};
    const struct wssec_input in = {.slice = &body, .n_slice = 1};
    const int64_t now = time(NULL);
    const struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_NOW, .freshness = true};
    struct wssec_resolver resolver;
    identity_resolver(&r->client, &resolver);
    return wssec_verify(worker, &in, r->policy, &when, &resolver, NULL, verdict, NULL) == WSSEC_RC_OK &&
           verdict->verdict == WSSEC_PASS;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

struct text {
    char *p;
    size_t n;
    size_t cap;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *fmt, ...)
{
    char piece[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof piece) {
        t->failed = true;
        return;
    }
    if (t->n + (size_t)n > t->cap) {
        size_t cap = t->cap * 2 + sizeof piece;
        char *bigger = realloc(t->p, cap);
        if (bigger == NULL) {
            t->failed = true;
            return;
        }
        t->p = bigger;
        t->cap = cap;
    }
    memcpy(t->p + t->n, piece, (size_t)n);
    t->n += (size_t)n;
}

static void add_fault(struct text *t, bool soap12)
{
    if (soap12) {
        text_add(t, "<soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code>");
        text_add(
            t,
            "<soap:Reason><soap:Text xml:lang=\"en\">the warehouse is closed</soap:Text></soap:Reason></soap:Fault>");
    } else {
        text_add(
            t,
            "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>the warehouse is closed</faultstring></soap:Fault>");
    }
}

static void add_order(struct text *t, const struct receiver *r, const struct order *order)
{
    text_add(t, "<o:GetOrderResponse xmlns:o=\"urn:example:orders\"><o:number>%s</o:number><o:state>shipped</o:state>",
             order->number);
    for (long i = 0; i < r->records; i++) {
        text_add(
            t,
            "<o:item position=\"%ld\"><o:article>A-%06ld</o:article><o:quantity>%ld</o:quantity><o:price currency=\"EUR\">%ld.%02ld</o:price></o:item>",
            i + 1, (i * 7919) % 1000000, i % 9 + 1, i % 500, i % 100);
    }
    text_add(t, "</o:GetOrderResponse>");
}

static struct text make_answer(const struct receiver *r, const struct order *order)
{
    struct text t = {0};
    text_add(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"%s\"><soap:Body>",
             order->soap12 ? SOAP12 : SOAP11);
    if (r->answer == ANSWER_FAULT || r->answer == ANSWER_PLAIN_FAULT) {
        add_fault(&t, order->soap12);
    } else {
        add_order(&t, r, order);
    }
    text_add(&t, "</soap:Body></soap:Envelope>");
    return t;
}

static int send_soap(int fd, int status, bool soap12, const struct wssec_slice *piece, size_t n_piece)
{
    size_t n = 0;
    for (size_t i = 0; i < n_piece; i++) {
        n += piece[i].n;
    }
    int rc = http_write_reply_head(fd, status,
                                   soap12 ? "application/soap+xml; charset=utf-8" : "text/xml; charset=utf-8", n);
    for (size_t i = 0; i < n_piece && rc == 0; i++) {
        rc = http_write(fd, piece[i].p, piece[i].n, i + 1 < n_piece);
    }
    return rc;
}

static int answer_signed(const struct receiver *r, int fd, struct wssec_worker *worker, int status,
                         const struct order *order, const struct wssec_slice *body)
{
    static const char *const parts[] = {"Body", "Timestamp"};
    const struct wssec_recipe recipe = {.part = parts, .n_part = 2, .timestamp = true};
    const struct wssec_input in = {.slice = body, .n_slice = 1, .response = true};
    const int64_t now = time(NULL);
    const struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_NOW};
    struct wssec_resolver resolver;
    struct wssec_output out;
    struct wssec_verdict verdict;
    identity_resolver(&r->pair[atomic_load(&r->active)], &resolver);
    if (wssec_sign(worker, &in, &recipe, &when, &resolver, &out, &verdict) != WSSEC_RC_OK ||
        verdict.verdict != WSSEC_PASS) {
        fprintf(stderr, "not signed: %s: %s\n", wssec_reason_code(verdict.reason), verdict.detail);
        return -1;
    }
    return send_soap(fd, status, order->soap12, out.piece, out.n_piece);
}

static int answer_refusal(int fd, const struct wssec_verdict *verdict)
{
    char fault[2048];
    struct wssec_slice piece = {(const uint8_t *)fault, 0};
    fprintf(stderr, "request refused: %s: %s\n", wssec_reason_code(verdict->reason), verdict->detail);
    piece.n = wssec_fault(verdict, "receiver", fault, sizeof fault);
    return piece.n > 0 ? send_soap(fd, wssec_fault_status(verdict, false), verdict->soap == 12, &piece, 1) : -1;
}

static int answer_post(const struct receiver *r, int fd, struct wssec_worker *worker,
                       const struct http_message *request)
{
    struct order order;
    struct wssec_verdict verdict;
    if (r->require_signed && !request_signed(r, worker, request, &verdict)) {
        return answer_refusal(fd, &verdict);
    }
    if (order_read(request, &order) != 0) {
        return http_write_reply_head(fd, 400, "text/plain", 0);
    }
    if (r->delay_ms > 0) {
        const struct timespec pause = {r->delay_ms / 1000, r->delay_ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    struct text t = make_answer(r, &order);
    const struct wssec_slice body = {(const uint8_t *)t.p, t.n};
    int status = r->answer == ANSWER_FAULT || r->answer == ANSWER_PLAIN_FAULT ? 500 : 200;
    int rc = -1;
    if (!t.failed) {
        rc = r->answer == ANSWER_UNSIGNED || r->answer == ANSWER_PLAIN_FAULT
                 ? send_soap(fd, status, order.soap12, &body, 1)
                 : answer_signed(r, fd, worker, status, &order, &body);
    }
    free(t.p);
    return rc;
}

static int answer_get(const struct receiver *r, int fd, const struct http_message *request)
{
    const char *query = memmem(request->head, strcspn(request->head, "\r"), "?wsdl", 5);
    if (r->wsdl == NULL || query == NULL) {
        return http_write_reply_head(fd, 404, "text/plain", 0);
    }
    size_t n = strlen(r->wsdl);
    return http_write_reply_head(fd, 200, "text/xml; charset=utf-8", n) == 0 ? http_write(fd, r->wsdl, n, false) : -1;
}

/* ---- connections, signals, options ------------------------------------------------------------------------------- */

static void serve(int fd, void *ctx)
{
    const struct receiver *r = ctx;
    struct http_peer *peer = calloc(1, sizeof *peer);
    struct wssec_worker *worker = wssec_worker_new();
    bool open = peer != NULL && worker != NULL;
    if (open) {
        peer->fd = fd;
    }
    while (open) {
        struct http_message request;
        if (http_read(peer, &request) != 1) {
            break;
        }
        int rc =
            strncmp(request.head, "POST ", 5) == 0 ? answer_post(r, fd, worker, &request) : answer_get(r, fd, &request);
        open = rc == 0 && !request.close;
        http_message_clear(&request);
    }
    wssec_worker_free(worker);
    free(peer);
}

static void *follow_signals(void *arg)
{
    struct receiver *r = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (;;) {
        int signal_number = 0;
        printf("signing with %s\n", r->pair[atomic_load(&r->active)].name);
        fflush(stdout);
        if (sigwait(&set, &signal_number) == 0) {
            atomic_store(&r->active, (atomic_load(&r->active) + 1) % r->n_pair);
        }
    }
    return NULL;
}

static char *read_file(const char *name)
{
    char *text = NULL;
    size_t n = 0;
    FILE *in = fopen(name, "re");
    if (in == NULL || getdelim(&text, &n, '\0', in) < 0) {
        perror(name);
        free(text);
        text = NULL;
    }
    if (in != NULL) {
        fclose(in);
    }
    return text;
}

static long number(const char *text, long max)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 0 || n > max) {
        fprintf(stderr, "%s: not a number from 0 to %ld\n", text, max);
        exit(64);
    }
    return n;
}

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"certificate", required_argument, NULL, 'c'},
    {"key", required_argument, NULL, 'k'},
    {"require-signed-by", required_argument, NULL, 'r'},
    {"wsdl", required_argument, NULL, 'w'},
    {"records", required_argument, NULL, 'n'},
    {"delay-ms", required_argument, NULL, 'd'},
    {"fault", no_argument, NULL, 'f'},
    {"plain-fault", no_argument, NULL, 'F'},
    {"unsigned", no_argument, NULL, 'u'},
    {NULL, 0, NULL, 0},
};

/** Take one option that is neither port nor pair. @return 0 or -1 */
static int take_option(struct receiver *r, int option)
{
    switch (option) {
    case 'r': r->require_signed = true; return identity_read(&r->client, optarg, NULL);
    case 'w':
        free(r->wsdl);
        r->wsdl = read_file(optarg);
        return r->wsdl != NULL ? 0 : -1;
    case 'n': r->records = number(optarg, RECORDS_MAX); return 0;
    case 'd': r->delay_ms = number(optarg, 600000); return 0;
    case 'f': r->answer = ANSWER_FAULT; return 0;
    case 'F': r->answer = ANSWER_PLAIN_FAULT; return 0;
    case 'u': r->answer = ANSWER_UNSIGNED; return 0;
    default: return -1;
    }
}

static int read_options(struct receiver *r, int argc, char **argv, int *port)
{
    const char *certificate = NULL;
    const char *key = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'p') {
            *port = (int)number(optarg, 65535);
        } else if (option == 'c') {
            certificate = optarg;
        } else if (option == 'k') {
            key = optarg;
        } else if (take_option(r, option) != 0) {
            return -1;
        }
        if (certificate != NULL && key != NULL) {
            if (r->n_pair == PAIRS_MAX || identity_read(&r->pair[r->n_pair], certificate, key) != 0) {
                return -1;
            }
            r->n_pair++;
            certificate = NULL;
            key = NULL;
        }
    }
    if (certificate != NULL || key != NULL || r->n_pair == 0 || optind != argc) {
        fprintf(
            stderr,
            "usage: receiver [--port N] --certificate FILE --key FILE [--certificate FILE --key FILE]...\n"
            "       [--require-signed-by FILE] [--wsdl FILE] [--records N] [--delay-ms N] [--fault|--plain-fault|--unsigned]\n");
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct receiver receiver;
    char why[256] = "";
    int port = 0;
    sigset_t set;
    pthread_t thread;
    if (wssec_init(NULL, why, sizeof why) != 0) {
        fprintf(stderr, "receiver: %s\n", why);
        return 70;
    }
    if (read_options(&receiver, argc, argv, &port) != 0) {
        return 64;
    }
    receiver.policy = wssec_policy_new("receiver");
    if (receiver.policy == NULL || wssec_policy_freeze(receiver.policy, why, sizeof why) < 0) {
        fprintf(stderr, "receiver: %s\n", why);
        return 70;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int listener = http_listen(port, &port);
    if (listener < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        perror("receiver: listen");
        return 69;
    }
    printf("listening %d\n", port);
    fflush(stdout);
    if (pthread_create(&thread, NULL, follow_signals, &receiver) != 0) {
        return 70;
    }
    http_serve(listener, serve, &receiver);
    perror("receiver: accept");
    return 69;
}
