/* SPDX-License-Identifier: Apache-2.0 */
/* test_sealed_attachments.c: attachments are encrypted and opened in both orders; what their EncryptedData may not say.
 */
#include "tests/unit/sealing.h"

const char *const harness_suite = "sealed-attachments";

#define TYPE "multipart/related; boundary=\"=_B\"; type=\"text/xml\""
#define PART_A                                                                                                         \
    "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-ID: <a&b@x>\r\nContent-Disposition: attachment; "          \
    "filename=a.txt\r\n"
#define CONTENT_A "line\nline"
#define PART_B    "Content-ID: <b@x>\r\nContent-Type: image/png\r\n"
#define CONTENT_B "\x89PNG octets"

#define ROOT "--=_B\r\nContent-Type: text/xml\r\nContent-ID: <root@x>\r\n\r\n"
#define PACKAGE                                                                                                        \
    ROOT PLAIN "\r\n--=_B\r\n" PART_A "\r\n" CONTENT_A "\r\n--=_B\r\n" PART_B "\r\n" CONTENT_B "\r\n--=_B--\r\n"
/* as it comes back: the fields that told of the ciphertext stand at the end of the headers */
#define RETURNED                                                                                                       \
    ROOT PLAIN "\r\n--=_B\r\nContent-ID: <a&b@x>\r\nContent-Disposition: attachment; filename=a.txt\r\n"               \
               "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: binary\r\n\r\n" CONTENT_A    \
               "\r\n--=_B\r\nContent-ID: <b@x>\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: "              \
               "binary\r\n\r\n" CONTENT_B "\r\n--=_B--\r\n"

static cs_buf taken(const struct wssec_output *out)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_adds(&b, "");
    for (size_t i = 0; i < out->n_piece; i++) {
        (void)cs_buf_add(&b, out->piece[i].p, out->piece[i].n);
    }
    return b;
}

/* Two slices, so that nothing rests on one. */
static struct wssec_input input_of(const cs_buf *b, struct wssec_slice slice[2])
{
    size_t half = b->len / 2;
    slice[0] = (struct wssec_slice){(const uint8_t *)b->data, half};
    slice[1] = (struct wssec_slice){(const uint8_t *)b->data + half, b->len - half};
    return (struct wssec_input){.slice = slice, .n_slice = 2, .content_type = TYPE};
}

static cs_buf text(const char *s)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_adds(&b, s);
    return b;
}

/* Takes in. */
static cs_buf sealed(cs_buf in, const struct wssec_encryption *how)
{
    struct wssec_slice slice[2];
    struct wssec_input input = input_of(&in, slice);
    struct wssec_output out;
    struct wssec_verdict made;
    CU_ASSERT_EQUAL(wssec_encrypt(worker, &input, how, &when, &keys, &out, &made), WSSEC_RC_OK);
    if (made.verdict != WSSEC_PASS) {
        printf("  # %s: %s\n", wssec_reason_code(made.reason), made.detail);
    }
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    cs_buf b = taken(&out);
    CU_ASSERT_EQUAL(b.len, out.octets);
    cs_buf_free(&in);
    return b;
}

static cs_buf signed_package(cs_buf in, const struct wssec_recipe *recipe)
{
    struct wssec_slice slice[2];
    struct wssec_input input = input_of(&in, slice);
    struct wssec_output out;
    struct wssec_verdict made;
    CU_ASSERT_EQUAL(wssec_sign(worker, &input, recipe, &when, &keys, &out, &made), WSSEC_RC_OK);
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    cs_buf b = taken(&out);
    cs_buf_free(&in);
    return b;
}

static bool loose; /* unsigned attachments are allowed */

/* Takes in. @return the reason; what came out in *out (NULL: not wanted) */
static const char *opened_package(cs_buf in, bool verify, cs_buf *made)
{
    struct wssec_slice slice[2];
    struct wssec_input input = input_of(&in, slice);
    struct wssec_output out;
    struct wssec_policy *p = wssec_policy_new("test");
    char err[256];
    const char *allowed[] = {"unsigned-attachments"};
    CU_ASSERT_FATAL(!loose || wssec_policy_set(p, "allow", 1, allowed, err, sizeof err) == 0);
    CU_ASSERT_FATAL(wssec_policy_freeze(p, err, sizeof err) >= 0);
    wssec_explain_free(&steps);
    CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, verify, &v, &steps, &out), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, out.n_piece > 0);
    if (made != NULL) {
        *made = taken(&out);
    }
    wssec_policy_unref(p);
    cs_buf_free(&in);
    return wssec_reason_code(v.reason);
}

static void expect(const char *got, const char *expected, const char *what)
{
    if (strcmp(got, expected) != 0) {
        printf("  # %s: expected %s, got %s (%s)\n", what, expected, got, v.detail);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

/* b with the first find (of text) replaced. */
static cs_buf with_text(cs_buf b, const char *find, const char *by)
{
    const char *at = memmem(b.data, b.len, find, strlen(find));
    if (at == NULL) {
        fprintf(stderr, "\"%s\" is not there\n", find);
        abort();
    }
    cs_buf out = CS_BUF_INIT;
    (void)cs_buf_add(&out, b.data, (size_t)(at - b.data));
    (void)cs_buf_adds(&out, by);
    at += strlen(find);
    (void)cs_buf_add(&out, at, b.len - (size_t)(at - b.data));
    cs_buf_free(&b);
    return out;
}

static bool has(const cs_buf *b, const char *what)
{
    return memmem(b->data, b->len, what, strlen(what)) != NULL;
}

/* ---- both directions ------------------------------------------------------------------------------------------------
 */

static void attachments_come_back_as_they_went_in(void)
{
    const char *const only[] = {"attachments"};
    const struct wssec_encryption hows[] = {{.cipher = NULL}, {.part = only, .n_part = 1, .cipher = "aes128-gcm"}};
    reset();
    for (size_t i = 0; i < 2; i++) {
        cs_buf made = CS_BUF_INIT;
        cs_buf b = sealed(text(PACKAGE), &hows[i]);
        CU_ASSERT_FALSE(has(&b, "line\nline") || has(&b, "PNG") || has(&b, "Content-Type: image/png"));
        CU_ASSERT_EQUAL(has(&b, "bolt"), i == 1);
        expect(opened_package(b, false, &made), "ok", "opened");
        CU_ASSERT_STRING_EQUAL(made.data, RETURNED);
        CU_ASSERT_EQUAL(v.root.from, strlen(ROOT));
        cs_buf_free(&made);
    }
}

static void headers_are_sealed_with_complete(void)
{
    const struct wssec_encryption how = {.complete = true};
    cs_buf made = CS_BUF_INIT;
    reset();
    cs_buf b = sealed(text(PACKAGE), &how);
    CU_ASSERT_FALSE(has(&b, "a.txt"));
    expect(opened_package(b, false, &made), "ok", "opened");
    CU_ASSERT_TRUE(has(&made, PART_A "Content-Transfer-Encoding: binary\r\n\r\n" CONTENT_A "\r\n"));
    cs_buf_free(&made);
}

static void both_orders_with_signatures_pass(void)
{
    const struct wssec_encryption how = {.cipher = NULL};
    reset();
    for (int complete = 0; complete < 2; complete++) {
        const struct wssec_recipe recipe = {.timestamp = true, .complete = complete == 1};
        const struct wssec_encryption as = {.complete = complete == 1};
        cs_buf made = CS_BUF_INIT;
        cs_buf b = signed_package(text(PACKAGE), &recipe);
        expect(opened_package(sealed(b, &as), true, &made), "ok", "sign, then encrypt");
        CU_ASSERT_EQUAL(v.n_covers, 4);
        CU_ASSERT_TRUE(v.has_decrypted_with && has(&made, CONTENT_A "\r\n--=_B"));
        CU_ASSERT_EQUAL(memcmp(made.data + v.security.from, "<wsse:Security", 14), 0);
        /* the signature covers what was opened: a changed one, encrypted */
        cs_buf_free(&made);
        b = with_text(signed_package(text(PACKAGE), &recipe), CONTENT_A, "line\nlime");
        expect(opened_package(sealed(b, &as), true, NULL), "digest-mismatch", "signed, changed, encrypted");
        CU_ASSERT_TRUE(v.opening);
    }
    cs_buf made = CS_BUF_INIT;
    const struct wssec_recipe join = {.timestamp = true, .join = true};
    cs_buf b = signed_package(sealed(text(PACKAGE), &how), &join);
    expect(opened_package(b, true, &made), "ok", "encrypt, then sign");
    CU_ASSERT_TRUE(has(&made, CONTENT_A "\r\n--=_B") && !has(&made, "EncryptedData"));
    cs_buf_free(&made);
    /* parts that the signature leaves out are not opened behind it */
    const char *const body[] = {"Body", "Timestamp"};
    const struct wssec_recipe less = {.part = body, .n_part = 2, .timestamp = true, .join = true};
    expect(opened_package(signed_package(sealed(text(PACKAGE), &how), &less), true, NULL), "part-not-signed",
           "encrypted, not signed");
    loose = true;
    expect(opened_package(signed_package(sealed(text(PACKAGE), &how), &less), true, NULL), "part-not-signed",
           "allowed unsigned, yet not opened");
    loose = false;
}

/* ---- what is refused ------------------------------------------------------------------------------------------------
 */

static void the_data_of_an_attachment_has_one_form(void)
{
    static const struct {
        const char *what, *find, *by, *reason;
    } rows[] = {
        {"usual", "cid:b@x", "cid:b%40x", "ok"},
        {"no such part", "cid:b@x", "cid:c@x", "attachment-missing"},
        {"the root", "cid:b@x", "cid:root@x", "attachment-missing"},
        {"one part twice", "cid:b@x", "cid:a%26b@x", "security-malformed"},
        {"http", "URI=\"cid:b@x", "URI=\"http://127.0.0.1/b", "reference-uri-forbidden"},
        {"file", "URI=\"cid:b@x", "URI=\"file:///etc/passwd", "reference-uri-forbidden"},
        {"another transform", "#Attachment-Ciphertext-Transform", "#Attachment-Content-Signature-Transform",
         "transform-forbidden"},
        {"another type", "#Attachment-Content-Only", "#Attachment-Whole", "token-unsupported"},
        {"sealed as content, opened as complete", "#Attachment-Content-Only", "#Attachment-Complete",
         "decryption-failed"},
        {"a line end in MimeType", "MimeType=\"image/png", "MimeType=\"image/png&#13;&#10;X: y", "security-malformed"},
        {"no media type", "MimeType=\"image/png", "MimeType=\"(x)", "security-malformed"},
        {"a multipart", "MimeType=\"image/png", "MimeType=\"multipart/mixed; boundary=x", "mime-malformed"},
        {"no MimeType", " MimeType=\"image/png\"", "", "ok"},
        {"another key length", "aes256-gcm\"/><ds:KeyInfo", "aes128-gcm\"/><ds:KeyInfo", "security-malformed"}};
    const struct wssec_encryption how = {.cipher = NULL};
    reset();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cs_buf b = with_text(sealed(text(PACKAGE), &how), rows[i].find, rows[i].by);
        expect(opened_package(b, false, NULL), rows[i].reason, rows[i].what);
    }
}

static void changed_ciphertext_opens_nothing(void)
{
    const struct wssec_encryption how = {.cipher = NULL};
    reset();
    for (int i = 0; i < 4; i++) {
        cs_buf b = sealed(text(PACKAGE), &how);
        char *at = memmem(b.data, b.len, "<a&b@x>", 7);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        at = memmem(at, b.len - (size_t)(at - b.data), "\r\n\r\n", 4);
        if (i < 2) {
            at[i == 0 ? 4 : 20] ^= 1; /* of the vector, of the text */
        } else {
            const char *end = memmem(at, b.len - (size_t)(at - b.data), "\r\n--=_B", 7);
            cs_buf cut = CS_BUF_INIT;
            (void)cs_buf_add(&cut, b.data,
                             (size_t)(i == 2 ? end - 1 - b.data : at + 8 - b.data)); /* one octet less, nearly none */
            (void)cs_buf_add(&cut, end, b.len - (size_t)(end - b.data));
            cs_buf_free(&b);
            b = cut;
        }
        expect(opened_package(b, false, NULL), "decryption-failed", "changed ciphertext");
        CU_ASSERT_TRUE(v.opening);
    }
    own_state = WSSEC_ARCHIVED;
    expect(opened_package(sealed(text(PACKAGE), &how), false, NULL), "no-decryption-key", "key past its stop");
}

/* What is sealed may not become two parts once it is opened. */
static void a_sealed_delimiter_makes_no_new_part(void)
{
    const struct wssec_encryption how = {.cipher = NULL};
    reset();
    /* the same octets in base64 are one part before they are sealed */
    cs_buf b = text(ROOT PLAIN "\r\n--=_B\r\nContent-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                               "eA0KLS09X0INCkNvbnRlbnQtSUQ6IDxiQHg+DQoNCnk=\r\n--=_B--\r\n");
    expect(opened_package(sealed(b, &how), false, NULL), "mime-malformed", "a part inside of a part");
    CU_ASSERT_TRUE(v.opening);
    b = text(ROOT PLAIN
             "\r\n--=_B\r\nContent-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n\r\neA0KLS09X0E=\r\n--=_B--\r\n");
    expect(opened_package(sealed(b, &how), false, NULL), "ok", "its twin with another boundary");
}

static void what_no_reference_can_name_is_not_sealed(void)
{
    const struct wssec_encryption how = {.cipher = NULL};
    cs_buf b = text(ROOT PLAIN "\r\n--=_B\r\nContent-Type: image/png\r\n\r\nx\r\n--=_B--\r\n");
    struct wssec_slice slice[2];
    struct wssec_input input = input_of(&b, slice);
    struct wssec_output out;
    struct wssec_verdict made;
    reset();
    CU_ASSERT_EQUAL(wssec_encrypt(worker, &input, &how, &when, &keys, &out, &made), WSSEC_RC_OK);
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(made.reason), "policy-not-evaluable");
    cs_buf_free(&b);
}

/* Pieces of one answer may be the next call's input. */
static void an_answer_is_an_input_of_the_next_call(void)
{
    const struct wssec_encryption how = {.cipher = NULL};
    const struct wssec_recipe recipe = {.timestamp = true};
    struct wssec_policy *p = policy_with(NULL);
    struct wssec_slice slice[2];
    struct wssec_output out;
    reset();
    cs_buf b = sealed(signed_package(text(PACKAGE), &recipe), &how);
    struct wssec_input input = input_of(&b, slice);
    CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, true, &v, NULL, &out), WSSEC_RC_OK);
    CU_ASSERT_EQUAL_FATAL(v.verdict, WSSEC_PASS);
    struct wssec_input again = {.slice = out.piece, .n_slice = out.n_piece, .content_type = TYPE};
    struct wssec_verdict once;
    CU_ASSERT_EQUAL(wssec_verify(worker, &again, p, &when, &keys, NULL, &once, NULL), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(once.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(wssec_remove_header(worker, &again, &v, &out), WSSEC_RC_OK);
    cs_buf plain = taken(&out);
    CU_ASSERT_TRUE(!has(&plain, "Security") && has(&plain, BODY) && has(&plain, CONTENT_B "\r\n--=_B--"));
    cs_buf_free(&plain);
    cs_buf_free(&b);
    wssec_policy_unref(p);
}

/* ---- in pieces, and where they lie ---------------------------------------------------------------------------------
 */

#define LARGE 100000

/* A package with one attachment of LARGE octets. */
static cs_buf large_package(void)
{
    cs_buf b = text(ROOT PLAIN "\r\n--=_B\r\n" PART_B "\r\n");
    for (unsigned i = 0; i < LARGE; i++) {
        (void)cs_buf_addc(&b, (char)(i * 31 + i / 251));
    }
    (void)cs_buf_adds(&b, "\r\n--=_B--\r\n");
    return b;
}

static struct {
    unsigned taken;
    size_t octets;
    bool none_left;
    void *p;
} given;

static void *give_room(void *ctx, size_t n)
{
    (void)ctx;
    given.taken++;
    given.octets += n;
    given.p = given.none_left ? NULL : malloc(n);
    return given.p;
}

static bool between(const struct wssec_slice *s, const void *from, size_t n)
{
    return from != NULL && s->p >= (const uint8_t *)from && s->p + s->n <= (const uint8_t *)from + n;
}

static void sealed_octets_open_however_they_are_cut(void)
{
    const struct wssec_encryption how = {.complete = true};
    reset();
    for (size_t step = 1; step < 40; step++) {
        cs_buf b = sealed(text(PACKAGE), &how);
        size_t n = 0;
        struct wssec_slice *slice = calloc(b.len / step + 1, sizeof *slice);
        CU_ASSERT_PTR_NOT_NULL_FATAL(slice);
        for (size_t at = 0; at < b.len; at += step) {
            slice[n++] = (struct wssec_slice){(const uint8_t *)b.data + at, b.len - at < step ? b.len - at : step};
        }
        struct wssec_input input = {.slice = slice, .n_slice = n, .content_type = TYPE};
        struct wssec_output out;
        struct wssec_policy *p = policy_with(NULL);
        CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, false, &v, &steps, &out), WSSEC_RC_OK);
        CU_ASSERT_EQUAL(v.reason, WSSEC_OK);
        cs_buf made = taken(&out);
        CU_ASSERT_TRUE(has(&made, PART_A "Content-Transfer-Encoding: binary\r\n\r\n" CONTENT_A "\r\n"));
        cs_buf_free(&made);
        cs_buf_free(&b);
        wssec_policy_unref(p);
        free(slice);
    }
}

static void large_attachments_lie_in_the_room_of_the_caller(void)
{
    static const struct wssec_room room = {NULL, give_room};
    const struct wssec_encryption how = {.cipher = NULL};
    struct wssec_policy *p = policy_with(NULL);
    struct wssec_slice slice[2];
    struct wssec_output out;
    reset();
    memset(&given, 0, sizeof given);
    cs_buf plain = large_package();
    wssec_worker_room(worker, &room);
    cs_buf b = sealed(large_package(), &how);
    CU_ASSERT_EQUAL(given.taken, 1);
    free(given.p);
    struct wssec_input input = input_of(&b, slice);
    given.octets = 0;
    CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, false, &v, NULL, &out), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(given.taken, 2);
    bool found = false;
    for (size_t i = 0; i < out.n_piece; i++) {
        found = found || (out.piece[i].n == LARGE && between(&out.piece[i], given.p, given.octets));
    }
    CU_ASSERT_TRUE(found);
    cs_buf made = taken(&out);
    CU_ASSERT_PTR_NOT_NULL(memmem(made.data, made.len, plain.data + plain.len - LARGE - 12, LARGE + 12));
    cs_buf_free(&made);
    free(given.p);
    /* a tag that does not hold: nothing goes on, and nothing is left where it lay */
    b.data[b.len - 50000] = (char)(b.data[b.len - 50000] ^ 1);
    CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, false, &v, NULL, &out), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.reason, WSSEC_DECRYPTION_FAILED);
    CU_ASSERT_EQUAL(out.n_piece, 0);
    CU_ASSERT_PTR_NULL(memmem(given.p, LARGE, plain.data + plain.len - LARGE, 1000));
    free(given.p);
    b.data[b.len - 50000] = (char)(b.data[b.len - 50000] ^ 1);
    /* small ones do not ask for it; no room is trouble of our own, in both directions */
    cs_buf_free(&plain);
    given.taken = 0;
    expect(opened_package(sealed(text(PACKAGE), &how), false, NULL), "ok", "small");
    CU_ASSERT_EQUAL(given.taken, 0);
    given.none_left = true;
    CU_ASSERT_EQUAL(wssec_open(worker, &input, p, &when, &keys, NULL, false, &v, NULL, &out), WSSEC_RC_NOMEM);
    CU_ASSERT_EQUAL(v.reason, WSSEC_OUT_OF_MEMORY);
    CU_ASSERT_EQUAL(out.n_piece, 0);
    plain = large_package();
    input = input_of(&plain, slice);
    CU_ASSERT_EQUAL(wssec_encrypt(worker, &input, &how, &when, &keys, &out, &v), WSSEC_RC_NOMEM);
    CU_ASSERT_EQUAL(out.n_piece, 0);
    CU_ASSERT_TRUE(given.taken > 0);
    wssec_worker_room(worker, NULL);
    cs_buf_free(&plain);
    cs_buf_free(&b);
    wssec_policy_unref(p);
}

const struct harness_test harness_tests[] = {
    {"attachments come back as they went in", attachments_come_back_as_they_went_in},
    {"headers are sealed with Attachment-Complete", headers_are_sealed_with_complete},
    {"both orders with signatures pass", both_orders_with_signatures_pass},
    {"the data of an attachment has one form", the_data_of_an_attachment_has_one_form},
    {"changed ciphertext opens nothing", changed_ciphertext_opens_nothing},
    {"a sealed delimiter makes no new part", a_sealed_delimiter_makes_no_new_part},
    {"what no reference can name is not sealed", what_no_reference_can_name_is_not_sealed},
    {"an answer is an input of the next call", an_answer_is_an_input_of_the_next_call},
    {"sealed octets open however they are cut", sealed_octets_open_however_they_are_cut},
    {"large attachments lie in the room of the caller", large_attachments_lie_in_the_room_of_the_caller},
    {NULL, NULL},
};
