/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c: see admin.h. The thread, its listening descriptors, its connections, and the pulse of the other loops. */
#include "gateway/admin_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/status.h"

#define BEAT_MS   1000
#define CONNS_MAX 64
#define INPUT_MAX ((size_t)16384)
#define IDLE_MS   60000
#define HTTP_LIMITS                                                                                                    \
    {                                                                                                                  \
        8192, 4096, 64, 2048, 256, 65536                                                                               \
    }

/* ---- connections ------------------------------------------------------------------------------------------------- */

static struct admin_conn *conn_of(struct conn *conn)
{
    return (struct admin_conn *)conn;
}

struct admin_conn *admin_asker(struct admin *a, uint64_t id)
{
    struct admin_conn *c = a->conn;
    while (c != NULL && (c->id != id || c->conn.fd < 0)) {
        c = c->next;
    }
    return c;
}

static void go_on(struct admin_conn *c)
{
    while (c->conn.fd >= 0 && !c->waiting && (c->kind == ADMIN_SOCKET ? admin_line_step(c) : admin_http_step(c))) {
    }
    if (c->conn.fd >= 0 && !c->waiting && c->ended) {
        conn_close(&c->conn);
    }
}

static void sent(struct admin_conn *c)
{
    cs_buf_reset(&c->out);
    conn_drop_output(&c->conn);
    if (c->last) {
        conn_close(&c->conn);
    }
}

void admin_send(struct admin_conn *c)
{
    struct iovec piece = {c->out.data, c->out.len};
    c->waiting = false;
    if (c->out.failed) {
        conn_close(&c->conn);
        return;
    }
    timer_set(&c->conn.timer, IDLE_MS);
    enum conn_result result = conn_send(&c->conn, &piece, 1);
    if (result == CONN_DONE) {
        sent(c);
    } else if (result == CONN_LATER) {
        c->waiting = true;
    } else {
        conn_close(&c->conn);
    }
}

static void on_data(struct conn *conn, const char *p, size_t n)
{
    struct admin_conn *c = conn_of(conn);
    if (n > INPUT_MAX - c->in.len || cs_buf_add(&c->in, p, n) != 0) {
        conn_close(conn);
        return;
    }
    timer_set(&conn->timer, IDLE_MS);
    go_on(c);
}

static void on_drained(struct conn *conn)
{
    struct admin_conn *c = conn_of(conn);
    c->waiting = false;
    sent(c);
    go_on(c);
}

static void on_progress(struct conn *conn)
{
    timer_set(&conn->timer, IDLE_MS);
}

static void on_connected(struct conn *conn, int err)
{
    if (!admin_tls_connected(conn_of(conn), err)) {
        conn_close(conn);
    }
}

static void on_ended(struct conn *conn, int err)
{
    struct admin_conn *c = conn_of(conn);
    c->ended = true;
    if (err != 0 || !c->waiting) {
        conn_close(conn);
    }
}

static void on_timeout(struct conn *conn)
{
    conn_close(conn);
}

static void on_destroy(struct conn *conn)
{
    struct admin_conn *c = conn_of(conn);
    if (c->next != NULL) {
        c->next->place = c->place;
    }
    *c->place = c->next;
    c->admin->n_conn--;
    http1_free(c->parser);
    admin_tls_end(c);
    cs_buf_free(&c->in);
    cs_buf_free(&c->out);
    free(c);
}

static const struct conn_ops admin_ops = {on_data,  on_drained, on_progress, on_connected,
                                          on_ended, on_timeout, on_destroy};

/* ---- accepting --------------------------------------------------------------------------------------------------- */

/* Who may use the socket: root, our own account, and those that the configuration in force names. */
static bool peer_allowed(struct admin *a, int fd, struct admin_conn *c)
{
    struct ucred peer = {0, 0, 0};
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    c->uid = peer.uid;
    c->pid = peer.pid;
    struct runtime *rt = gateway_runtime(a->gateway);
    const struct gw_admin *conf = &rt->plan->config->admin;
    bool allowed = peer.uid == 0 || peer.uid == geteuid();
    for (unsigned i = 0; i < conf->n_user && !allowed; i++) {
        allowed = conf->user[i] == peer.uid;
    }
    runtime_unref(rt);
    if (!allowed) {
        cs_log(CS_LOG_WARN, "admin-refused", "an account may not use the admin socket", CS_INT("uid", peer.uid),
               CS_INT("pid", peer.pid));
    }
    return allowed;
}

static struct admin_conn *conn_new(struct admin_port *port, int fd, const struct sockaddr *peer)
{
    static const struct http1_limits limits = HTTP_LIMITS;
    struct admin *a = port->admin;
    struct admin_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->admin = a;
    c->kind = port->kind;
    if ((port->kind == ADMIN_SOCKET && !peer_allowed(a, fd, c)) ||
        (port->kind != ADMIN_SOCKET && (c->parser = http1_new(HTTP1_REQUEST, &limits)) == NULL)) {
        free(c);
        return NULL;
    }
    c->id = ++a->next_id;
    conn_init(&c->conn, &a->loop, fd, &admin_ops);
    limit_address(peer, c->address);
    if (admin_tls_begin(c, port) != 0 || conn_read(&c->conn, true) != 0) {
        SSL_free(c->conn.ssl);
        admin_tls_end(c);
        http1_free(c->parser);
        free(c);
        return NULL;
    }
    c->next = a->conn;
    c->place = &a->conn;
    if (c->next != NULL) {
        c->next->place = &c->next;
    }
    a->conn = c;
    a->n_conn++;
    timer_set(&c->conn.timer, IDLE_MS);
    return c;
}

static void accept_ready(evutil_socket_t listening, short what, void *ctx)
{
    (void)what;
    struct admin_port *port = ctx;
    struct gw_address peer = {.len = sizeof peer.sa};
    int fd = accept4(listening, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (port->kind != ADMIN_SOCKET) {
        conn_nodelay(fd);
    }
    if (port->admin->n_conn >= CONNS_MAX || conn_new(port, fd, (const struct sockaddr *)&peer.sa) == NULL) {
        close(fd);
    }
}

/* ---- pulse ------------------------------------------------------------------------------------------------------- */

static void pulse_felt(struct loop *loop, struct mail *m)
{
    (void)m;
    atomic_store(&loop->pulse.seen_us, cs_clock_mono_us());
    atomic_store(&loop->pulse.under_way, false);
}

static void beat(void *ctx)
{
    struct admin *a = ctx;
    struct gateway *gw = a->gateway;
    for (unsigned i = 0; i < gw->n_loop; i++) {
        struct pulse *p = &gw->loop[i].pulse;
        if (!atomic_exchange(&p->under_way, true)) {
            p->mail.deliver = pulse_felt;
            loop_post(&gw->loop[i], &p->mail);
        }
    }
    for (struct admin_conn *c = a->conn; c != NULL; c = c->next) {
        if (admin_tls_retired(c) && !c->waiting && c->in.len == 0) {
            conn_close(&c->conn);
        }
    }
    if (status_alive(gw)) {
        link_tell(&gw->link, "alive");
    }
    sandbox_tell();
    timer_set(&a->beat, BEAT_MS);
}

/* ---- a successor ------------------------------------------------------------------------------------------------- */

static void port_close(struct admin_port *port)
{
    if (port->watching) {
        event_del(&port->event);
        port->watching = false;
    }
    if (port->fd >= 0) {
        close(port->fd);
        port->fd = -1;
    }
}

static int socket_open(const char *path, const char **step);
static void port_watch(struct admin_port *port);

/* The name of the socket and the HTTP ports are the successor's; this process is still asked under its own name. */
static void retire(struct loop *loop, struct mail *m)
{
    struct admin *a = (struct admin *)((char *)m - offsetof(struct admin, retire));
    struct admin_port *port = &a->port[ADMIN_SOCKET];
    const char *step = "";
    char path[128];
    (void)loop;
    port_close(&a->port[ADMIN_HTTP]);
    port_close(&a->port[ADMIN_HEALTH]);
    if (a->socket_path == NULL) {
        return;
    }
    port_close(port);
    snprintf(path, sizeof path, "%s.%ld", a->socket_path, (long)getpid());
    free(a->socket_path);
    a->socket_path = strdup(path);
    port->fd = a->socket_path != NULL ? socket_open(path, &step) : -1;
    if (port->fd < 0) {
        cs_log(CS_LOG_WARN, "admin-socket", "the draining process has no admin socket", CS_STR("path", path),
               CS_STR("step", step), CS_STR("why", strerror(errno)));
    }
    port_watch(port);
}

void admin_retire(struct gateway *gw)
{
    struct admin *a = gw->admin;
    a->retire.deliver = retire;
    loop_post(&a->loop, &a->retire);
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

/* Bound beside its place and moved there, so that a socket is there at every instant, and only with its right mode. */
static int socket_open(const char *path, const char **step)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char directory[sizeof name.sun_path];
    snprintf(name.sun_path, sizeof name.sun_path, "%s.%ld", path, (long)getpid());
    cs_copy(directory, sizeof directory, path);
    char *slash = strrchr(directory, '/');
    *slash = '\0';
    *step = "its directory";
    if (directory[0] != '\0' && mkdir(directory, 0750) != 0 && errno != EEXIST) {
        return -1;
    }
    *step = "bind";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (unlink(name.sun_path) != 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        goto fail;
    }
    *step = "its mode";
    if (chmod(name.sun_path, 0660) != 0 || listen(fd, 64) != 0) {
        goto fail_name;
    }
    *step = "its place";
    if (rename(name.sun_path, path) == 0) {
        return fd;
    }
fail_name:
    unlink(name.sun_path);
fail:
    if (fd >= 0) {
        int err = errno;
        close(fd);
        errno = err;
    }
    return -1;
}

/* @return 0; 1: another process answers there, its id in pid */
static int socket_served(const char *path, long *pid)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ucred peer = {0, 0, 0};
    socklen_t len = sizeof peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return 0;
    }
    cs_copy(name.sun_path, sizeof name.sun_path, path);
    int served = connect(fd, (const struct sockaddr *)&name, sizeof name) == 0 &&
                 getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
    *pid = (long)peer.pid;
    close(fd);
    return served;
}

static int port_open_socket(struct admin *a, const struct gw_admin *conf, cs_error *e)
{
    const char *step = "";
    long pid = 0;
    if (!a->gateway->options->again && socket_served(conf->socket, &pid)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "admin-socket", "%s:%d:%d: another gateway, process %ld, answers at %s",
                            conf->socket_at.file, conf->socket_at.line, conf->socket_at.column, pid, conf->socket);
    }
    a->socket_path = strdup(conf->socket);
    a->port[ADMIN_SOCKET].fd = a->socket_path != NULL ? socket_open(conf->socket, &step) : -1;
    if (a->port[ADMIN_SOCKET].fd < 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "admin-socket", "%s:%d:%d: the admin socket %s cannot be made: %s: %s",
                            conf->socket_at.file, conf->socket_at.line, conf->socket_at.column, conf->socket, step,
                            strerror(errno));
    }
    return 0;
}

static int port_open_tcp(struct admin_port *port, const struct gw_address *address, const struct gw_where *at,
                         const char *word, cs_error *e)
{
    char name[32];
    char why[256];
    snprintf(name, sizeof name, "admin-%s", word);
    port->fd = link_listen(&port->admin->gateway->link, name, address, why, sizeof why);
    if (port->fd < 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "listen", "%s:%d:%d: admin %s cannot take %s: %s", at->file, at->line,
                            at->column, word, address->text, why);
    }
    return 0;
}

static void port_watch(struct admin_port *port)
{
    if (port->fd >= 0) {
        event_assign(&port->event, port->admin->loop.base, port->fd, EV_READ | EV_PERSIST, accept_ready, port);
        port->watching = event_add(&port->event, NULL) == 0;
    }
}

static int ports_open(struct admin *a, const struct gw_admin *conf, cs_error *e)
{
    a->port[ADMIN_HTTP].secure = conf->tls != NULL;
    if ((conf->has_http && port_open_tcp(&a->port[ADMIN_HTTP], &conf->http, &conf->http_at, "http", e) != 0) ||
        (conf->has_health &&
         port_open_tcp(&a->port[ADMIN_HEALTH], &conf->health, &conf->health_at, "health", e) != 0) ||
        (conf->socket != NULL && port_open_socket(a, conf, e) != 0)) {
        return -1;
    }
    for (int i = 0; i < ADMIN_KINDS; i++) {
        port_watch(&a->port[i]);
    }
    return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void *admin_run(void *ctx)
{
    struct admin *a = ctx;
    pthread_setname_np(pthread_self(), "admin");
    event_base_loop(a->loop.base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void admin_free(struct admin *a)
{
    for (int i = 0; i < ADMIN_KINDS; i++) {
        port_close(&a->port[i]);
    }
    for (struct admin_conn *c = a->conn; c != NULL; c = c->next) {
        conn_close(&c->conn);
    }
    timer_destroy(&a->beat);
    loop_destroy(&a->loop);
    metrics_free(a->metrics);
    free(a->socket_path);
    free(a);
}

int admin_start(struct gateway *gw, cs_error *e)
{
    struct admin *a = calloc(1, sizeof *a);
    if (a == NULL || (a->metrics = metrics_new(gw)) == NULL || loop_init(&a->loop, gw, gw->n_loop) != 0) {
        metrics_free(a != NULL ? a->metrics : NULL);
        free(a);
        return cs_error_set(e, CS_EXIT_INTERNAL, "start", "no memory or descriptor for the admin thread");
    }
    a->gateway = gw;
    for (int i = 0; i < ADMIN_KINDS; i++) {
        a->port[i] = (struct admin_port){.admin = a, .kind = (enum admin_kind)i, .fd = -1};
    }
    timer_init(&a->beat, &a->loop, beat, a);
    struct runtime *rt = gateway_runtime(gw);
    int rc = ports_open(a, &rt->plan->config->admin, e);
    runtime_unref(rt);
    if (rc != 0) {
        admin_free(a);
        return -1;
    }
    beat(a);
    rc = pthread_create(&a->thread, NULL, admin_run, a);
    if (rc != 0) {
        admin_free(a);
        return cs_error_set(e, CS_EXIT_INTERNAL, "start", "the admin thread cannot start: %s", strerror(rc));
    }
    gw->admin = a;
    return 0;
}

static void admin_end(struct loop *loop, struct mail *m)
{
    (void)m;
    event_base_loopbreak(loop->base);
}

void admin_stop(struct gateway *gw)
{
    struct admin *a = gw->admin;
    if (a == NULL) {
        return;
    }
    a->end.deliver = admin_end;
    loop_post(&a->loop, &a->end);
    pthread_join(a->thread, NULL);
    /* Answers that came too late. */
    for (struct mail *late = mailbox_take(&a->loop.mailbox); late != NULL;) {
        struct mail *next = late->next;
        late->deliver(&a->loop, late);
        late = next;
    }
    if (a->socket_path != NULL) {
        unlink(a->socket_path);
    }
    gw->admin = NULL;
    admin_free(a);
}
