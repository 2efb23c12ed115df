/* SPDX-License-Identifier: Apache-2.0 */
/* test_base.c: errors, time, buffers, text, JSON, log lines, distinguished names. */
#include <errno.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/dn.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "base";

#define N(a) (sizeof(a) / sizeof(a)[0])

static void first_error_is_kept(void)
{
    cs_error e = {0};
    CU_ASSERT_EQUAL(cs_error_set(&e, CS_EXIT_GUARD, "guard", "first %d", 1), -1);
    CU_ASSERT_EQUAL(cs_error_set(&e, CS_EXIT_CONFIG, "other", "second"), -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_GUARD);
    CU_ASSERT_STRING_EQUAL(e.reason, "guard");
    CU_ASSERT_STRING_EQUAL(e.text, "first 1");
    cs_error_clear(&e);
    CU_ASSERT_EQUAL(e.exit_code, 0);
    CU_ASSERT_EQUAL(cs_error_set(NULL, CS_EXIT_GUARD, "guard", "nobody listens"), -1);
    CU_ASSERT_EQUAL(cs_error_set(&e, 0, "zero", "an error is never exit 0"), -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_INTERNAL);
}

static void time_reads_rfc3339(void)
{
    static const struct {
        const char *text;
        cs_time t;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-08-02T22:40:10Z", 1785710410},
        {"2026-08-03T00:40:10+02:00", 1785710410},
        {"2026-08-02T17:10:10.987654321-05:30", 1785710410},
        {"2026-08-02t22:40:10z", 1785710410},
        {"2024-02-29T23:59:59Z", 1709251199},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
        {"1969-12-31T23:59:59Z", -1},
    };
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-08-02",
                                      "2026-08-02T22:40:10",
                                      "2026-08-02 22:40:10Z",
                                      "2026-13-02T22:40:10Z",
                                      "2026-00-02T22:40:10Z",
                                      "2026-02-29T00:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-08-32T00:00:00Z",
                                      "2026-08-00T00:00:00Z",
                                      "2026-08-02T24:00:00Z",
                                      "2026-08-02T22:60:00Z",
                                      "2026-08-02T22:40:61Z",
                                      "2026-08-02T22:40:10.Z",
                                      "2026-08-02T22:40:10Zx",
                                      "2026-08-02T22:40:10+2:00",
                                      "2026-08-02T22:40:10+24:00",
                                      "2026-08-02T22:40:10+02:60",
                                      "2026-08-02T22:40:10+0200",
                                      "+2026-08-02T22:40:10Z",
                                      "02026-08-02T22:40:10Z"};
    for (size_t i = 0; i < N(good); i++) {
        cs_time t = 42;
        CU_ASSERT_EQUAL(cs_time_parse(good[i].text, &t), 0);
        CU_ASSERT_EQUAL(t, good[i].t);
    }
    for (size_t i = 0; i < N(bad); i++) {
        cs_time t = 42;
        CU_ASSERT_EQUAL(cs_time_parse(bad[i], &t), -1);
        CU_ASSERT_EQUAL(t, 42);
    }
}

static void time_text_comes_back(void)
{
    char text[CS_TIME_TEXT];
    for (cs_time t = INT64_C(-62167219200); t <= INT64_C(253402300799); t += 12345678911) {
        cs_time back = 0;
        CU_ASSERT_EQUAL_FATAL(cs_time_parse(cs_time_format(t, text), &back), 0);
        CU_ASSERT_EQUAL_FATAL(back, t);
    }
    CU_ASSERT_STRING_EQUAL(cs_time_format(INT64_MIN, text), "0000-01-01T00:00:00Z");
    CU_ASSERT_STRING_EQUAL(cs_time_format(INT64_MAX, text), "9999-12-31T23:59:59Z");
    CU_ASSERT_STRING_EQUAL(cs_time_format(951782400, text), "2000-02-29T00:00:00Z");
    char fine[CS_TIME_TEXT_MS];
    CU_ASSERT_STRING_EQUAL(cs_time_format_ms(951782400007, fine), "2000-02-29T00:00:00.007Z");
    CU_ASSERT_STRING_EQUAL(cs_time_format_ms(-1, fine), "1969-12-31T23:59:59.999Z");
    CU_ASSERT_STRING_EQUAL(cs_time_format_ms(INT64_MIN, fine), "0000-01-01T00:00:00.192Z");
}

static void durations_and_sizes(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"0s", 0},
                     {"500ms", 500},
                     {"300s", 300000},
                     {"5m", 300000},
                     {"12h", 43200000},
                     {"90d", 7776000000},
                     {"9223372036854775807ms", INT64_MAX},
                     {"9223372036854775s", INT64_C(9223372036854775000)}};
    static const char *const no_duration[] = {
        "", "s", "5", "5 s", "-5s", "5S", "5.5s", "5sx", "9223372036854776s", "9223372036854775808ms", "106751991168d"};
    static const struct {
        const char *text;
        uint64_t octets;
    } sizes[] = {{"0", 0},
                 {"512", 512},
                 {"64k", 65536},
                 {"64K", 65536},
                 {"10M", 10485760},
                 {"1G", 1073741824},
                 {"18446744073709551615", UINT64_MAX},
                 {"17179869183G", UINT64_C(17179869183) << 30}};
    static const char *const no_size[] = {"", "k", "1m", "1kb", "-1", "1 k", "18446744073709551616", "17179869184G"};
    for (size_t i = 0; i < N(durations); i++) {
        int64_t ms = -1;
        CU_ASSERT_EQUAL(cs_duration_parse(durations[i].text, &ms), 0);
        CU_ASSERT_EQUAL(ms, durations[i].ms);
    }
    for (size_t i = 0; i < N(no_duration); i++) {
        int64_t ms = -1;
        CU_ASSERT_EQUAL(cs_duration_parse(no_duration[i], &ms), -1);
    }
    for (size_t i = 0; i < N(sizes); i++) {
        uint64_t octets = 1;
        CU_ASSERT_EQUAL(cs_size_parse(sizes[i].text, &octets), 0);
        CU_ASSERT_EQUAL(octets, sizes[i].octets);
    }
    for (size_t i = 0; i < N(no_size); i++) {
        uint64_t octets = 1;
        CU_ASSERT_EQUAL(cs_size_parse(no_size[i], &octets), -1);
    }
}

static void buffer_grows_and_is_given_away(void)
{
    cs_buf b = CS_BUF_INIT;
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL(cs_buf_addf(&b, "%d,", i), 0);
    }
    CU_ASSERT_EQUAL(b.len, 3890);
    CU_ASSERT_EQUAL(strlen(b.data), b.len);
    size_t n = 0;
    char *taken = cs_buf_take(&b, &n);
    CU_ASSERT_EQUAL(n, 3890);
    CU_ASSERT_STRING_EQUAL(taken + 3886, "999,");
    CU_ASSERT_PTR_NULL(b.data);
    free(taken);
    taken = cs_buf_take(&b, &n);
    CU_ASSERT_PTR_NOT_NULL(taken);
    CU_ASSERT_STRING_EQUAL(taken, "");
    free(taken);
}

static void buffer_failure_sticks(void)
{
    cs_buf b = CS_BUF_INIT;
    CU_ASSERT_EQUAL(cs_buf_adds(&b, "x"), 0);
    CU_ASSERT_EQUAL(cs_buf_reserve(&b, SIZE_MAX), -1);
    CU_ASSERT_EQUAL(cs_buf_adds(&b, "y"), -1);
    CU_ASSERT_TRUE(b.failed);
    CU_ASSERT_PTR_NULL(cs_buf_take(&b, NULL));
    CU_ASSERT_FALSE(b.failed);
    CU_ASSERT_EQUAL(cs_buf_adds(&b, "secret"), 0);
    cs_buf_reset(&b);
    CU_ASSERT_EQUAL(b.len, 0);
    cs_buf_wipe(&b);
    CU_ASSERT_PTR_NULL(b.data);
}

static void base64_is_strict(void)
{
    static const struct {
        const char *text;
        const char *octets;
    } good[] = {{"", ""},        {"Zg==", "f"},        {"Zm8=", "fo"},
                {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {" Z\tm\r\n9v ", "foo"},
                {"Zg=\n=", "f"}};
    static const char *const bad[] = {
        "Z",        "Zg",    "Zg=",      "Zm9",  "Zh==", "Zm9=",   "====", "=Zg=",    "Z===",
        "Zg==Zg==", "Zm9v=", "Zm9v====", "Zm-v", "Zm_v", "Zm9v\v", "Zg=v", "Zm9v\xc3"};
    uint8_t out[64];
    size_t n = 0;
    for (size_t i = 0; i < N(good); i++) {
        CU_ASSERT_EQUAL(cs_base64_decode(good[i].text, strlen(good[i].text), out, sizeof out, &n), 0);
        CU_ASSERT_EQUAL(n, strlen(good[i].octets));
        CU_ASSERT_EQUAL(memcmp(out, good[i].octets, n), 0);
    }
    for (size_t i = 0; i < N(bad); i++) {
        CU_ASSERT_EQUAL(cs_base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &n), -1);
    }
    CU_ASSERT_EQUAL(cs_base64_decode("Zm9v", 4, out, 2, &n), -1);
    CU_ASSERT_EQUAL(cs_base64_decode("Zm9v", 4, out, 3, &n), 0);
    for (size_t size = 0; size < 40; size++) {
        uint8_t octets[40];
        char text[80];
        for (size_t i = 0; i < size; i++) {
            octets[i] = (uint8_t)(i * 37 + size * 11);
        }
        size_t length = cs_base64_encode(octets, size, text);
        CU_ASSERT_TRUE(cs_base64_decoded_max(length) >= size);
        CU_ASSERT_EQUAL(cs_base64_decode(text, length, out, sizeof out, &n), 0);
        CU_ASSERT_TRUE(n == size && memcmp(out, octets, n) == 0);
    }
}

static void hex_and_copies(void)
{
    uint8_t octets[3] = {0};
    char text[7];
    CU_ASSERT_EQUAL(cs_unhex("00aFff", octets, 3), 0);
    CU_ASSERT_STRING_EQUAL(cs_hex(octets, 3, text), "00afff");
    CU_ASSERT_EQUAL(cs_unhex("00aFf", octets, 3), -1);
    CU_ASSERT_EQUAL(cs_unhex("00aFfff", octets, 3), -1);
    CU_ASSERT_EQUAL(cs_unhex("00aFfg", octets, 3), -1);
    CU_ASSERT_TRUE(cs_copy(text, sizeof text, "sixsix"));
    CU_ASSERT_FALSE(cs_copy(text, sizeof text, "sevenes"));
    CU_ASSERT_STRING_EQUAL(text, "sevene");
}

static void only_well_formed_utf8_has_a_length(void)
{
    static const struct {
        const char *text;
        size_t length;
    } form[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xc1\xbf", 0}, /* overlong */
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xe1\x80\x41", 0},
        {"\xf1\x80\x80", 0}, /* cut */
    };
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        CU_ASSERT_EQUAL(cs_utf8_length((const uint8_t *)form[i].text, strlen(form[i].text)), form[i].length);
    }
}

/* The write of this program: the first does less than is asked, the second is interrupted, the third takes nothing. */
static int disk_turn = -1;

ssize_t write(int fd, const void *p, size_t n)
{
    static const struct {
        long takes;
        int error;
    } turn[] = {{2, 0}, {-1, EINTR}, {0, 0}, {-1, EIO}};
    if (disk_turn < 0) {
        return (ssize_t)syscall(SYS_write, fd, p, n);
    }
    errno = turn[disk_turn].error;
    return turn[disk_turn++].takes;
}

/* It tried for ever. */
static void a_write_that_takes_nothing_is_a_full_disk(void)
{
    disk_turn = 0;
    int rc = cs_write_all(1, "abcd", 4);
    int err = errno;
    CU_ASSERT_EQUAL(disk_turn, 3);
    disk_turn = 0;
    int whole = cs_write_all(1, "ab", 2);
    disk_turn = -1;
    CU_ASSERT_EQUAL(rc, -1);
    CU_ASSERT_EQUAL(err, ENOSPC);
    CU_ASSERT_EQUAL(whole, 0);
}

static void nearest_word(void)
{
    static const char *const words[] = {"listener", "route", "retention", "policy", "ttl", NULL};
    CU_ASSERT_STRING_EQUAL(cs_nearest("listner", words), "listener");
    CU_ASSERT_STRING_EQUAL(cs_nearest("Route", words), "route");
    CU_ASSERT_STRING_EQUAL(cs_nearest("roude", words), "route");
    CU_ASSERT_STRING_EQUAL(cs_nearest("plocy", words), "policy");
    CU_ASSERT_STRING_EQUAL(cs_nearest("tlt", words), "ttl");
    CU_ASSERT_PTR_NULL(cs_nearest("xyz", words));
    CU_ASSERT_PTR_NULL(cs_nearest("", words));
    CU_ASSERT_PTR_NULL(cs_nearest("a-word-of-more-than-sixty-four-letters-which-nobody-ever-wrote-by-mistake", words));
}

static void json_is_always_json(void)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "a", "x\"\\\n\t\x01\x7f/");
    cs_json_strn(&j, "b", "\xc3\xa4\xff\xed\xa0\x80\xe2\x80\xa8\xf0\x9f\x98\x80\xc3", 14);
    cs_json_array(&j, "c");
    cs_json_int(&j, NULL, INT64_MIN);
    cs_json_bool(&j, NULL, true);
    cs_json_null(&j, NULL);
    cs_json_object(&j, NULL);
    cs_json_object_end(&j);
    cs_json_array_end(&j);
    cs_json_time(&j, "t", 0);
    cs_json_time(&j, "u", 1785710410);
    cs_json_hex(&j, "h", (const uint8_t *)"\x0a\xff", 2);
    cs_json_str(&j, "n", NULL);
    cs_json_object_end(&j);
    CU_ASSERT_FALSE(b.failed);
    CU_ASSERT_STRING_EQUAL(
        b.data,
        "{\"a\":\"x\\\"\\\\\\n\\t\\u0001\\u007f/"
        "\",\"b\":\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u2028\xf0\x9f\x98\x80\xef\xbf\xbd\","
        "\"c\":[-9223372036854775808,true,null,{}],\"t\":null,\"u\":\"2026-08-02T22:40:10Z\",\"h\":\"0aff\",\"n\":"
        "null}");
    cs_buf_free(&b);
}

static void json_too_deep_fails(void)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    for (int i = 0; i < 31; i++) {
        cs_json_array(&j, NULL);
    }
    CU_ASSERT_FALSE(b.failed);
    cs_json_array(&j, NULL);
    CU_ASSERT_TRUE(b.failed);
    cs_buf_free(&b);
}

/* One log line as written by fields, read back from a pipe. */
static void log_line(enum cs_log_format format, char *out, size_t size)
{
    char peer[600];
    int fd[2];
    memset(peer, 'x', sizeof peer);
    memcpy(peer, "a\nb\"", 4);
    peer[sizeof peer - 1] = '\0';
    CU_ASSERT_EQUAL_FATAL(pipe(fd), 0);
    cs_log_setup(format, CS_LOG_INFO, fd[1]);
    cs_log(CS_LOG_DEBUG, "unseen", "below the level");
    cs_log(CS_LOG_WARN, "keystore-stale", "the store cannot be read", CS_STR("why", "locked"), CS_INT("n", 3),
           CS_BOOL("old", true), CS_STR("none", NULL), CS_STR("peer", peer));
    cs_log_setup(CS_LOG_HUMAN, CS_LOG_NOTICE, STDERR_FILENO);
    close(fd[1]);
    ssize_t n = read(fd[0], out, size - 1);
    close(fd[0]);
    out[n > 0 ? n : 0] = '\0';
}

static void log_lines_are_one_line(void)
{
    static const enum cs_log_format formats[] = {CS_LOG_JSON, CS_LOG_HUMAN};
    char line[2048];
    for (size_t i = 0; i < N(formats); i++) {
        log_line(formats[i], line, sizeof line);
        CU_ASSERT_PTR_EQUAL(strchr(line, '\n'), line + strlen(line) - 1);
        CU_ASSERT_PTR_NULL(strstr(line, "unseen"));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "keystore-stale"));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "a\\nb\\\""));
        CU_ASSERT_TRUE(strlen(line) < 800);
    }
    log_line(CS_LOG_JSON, line, sizeof line);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"level\":\"warn\",\"event\":\"keystore-stale\",\"message\":\"the store "
                                        "cannot be read\",\"why\":\"locked\",\"n\":3,\"old\":true,\"none\":null,"));
}

static void clocks_run_forward(void)
{
    int64_t first = cs_clock_mono_us();
    CU_ASSERT_TRUE(cs_clock_mono_us() >= first);
    CU_ASSERT_TRUE(cs_clock_now() > 1700000000);
    CU_ASSERT_TRUE(cs_clock_now_ms() / 1000 - cs_clock_now() <= 1);
}

/* ---- distinguished names ------------------------------------------------------------------------------------- */

static X509_NAME *make_name(void)
{
    X509_NAME *name = X509_NAME_new();
    const struct {
        const char *type, *value;
        int set;
    } ava[] = {{"C", "DE", 0},
               {"ST", "Baden  W\xc3\xbcrttemberg", 0},
               {"O", "ACME, Inc. \"x\"", 0},
               {"OU", "a+b", 0},
               {"UID", "7", -1},
               {"CN", "Jo/Doe", 0},
               {"emailAddress", "jo@acme.example", 0}};
    for (size_t i = 0; i < N(ava); i++) {
        CU_ASSERT_EQUAL_FATAL(X509_NAME_add_entry_by_txt(name, ava[i].type, MBSTRING_UTF8,
                                                         (const unsigned char *)ava[i].value, -1, -1, ava[i].set),
                              1);
    }
    return name;
}

static void dn_spellings_are_one_name(void)
{
    static const char *const same[] = {
        "emailAddress=jo@acme.example,CN=Jo/Doe,OU=a\\+b+UID=7,O=ACME\\, Inc. \\\"x\\\",ST=Baden "
        "W\\C3\\BCrttemberg,C=DE",
        "E=jo@acme.example, CN=\"Jo/Doe\", UID=7 + OU=\"a+b\", O=\"ACME, Inc. \"\"x\"\"\", S=Baden  "
        "W\xc3\xbcrttemberg, C=DE",
        "1.2.840.113549.1.9.1=jo@acme.example; OID.2.5.4.3 = jo/doe ; ou=A\\+B+uid=7; o=\"acme, inc. \\\"X\\\"\"; "
        "st=baden w\xc3\xbcrttemberg; c=de",
        "EMAILADDRESS=#160f6a6f4061636d652e6578616d706c65,CN=#0c064a6f2f446f65,OU=a\\+b+UID=7,O=ACME\\2C Inc. "
        "\\22x\\22,ST=Baden W\\C3\\BCrttemberg,C=#13024445",
    };
    static const char *const other[] = {
        "CN=Jo/Doe,OU=a\\+b+UID=7,O=ACME\\, Inc. \\\"x\\\",ST=Baden W\\C3\\BCrttemberg,C=DE",
        "emailAddress=jo@acme.example,CN=Jo/Doe,OU=a\\+b,UID=7,O=ACME\\, Inc. \\\"x\\\",ST=Baden "
        "W\\C3\\BCrttemberg,C=DE",
        "emailAddress=jo@acme.example,CN=Jo/Doe,OU=a\\+b+UID=8,O=ACME\\, Inc. \\\"x\\\",ST=Baden "
        "W\\C3\\BCrttemberg,C=DE",
        "CN=jo@acme.example,CN=Jo/Doe,OU=a\\+b+UID=7,O=ACME\\, Inc. \\\"x\\\",ST=Baden W\\C3\\BCrttemberg,C=DE",
    };
    X509_NAME *name = make_name();
    cs_dn *mine = cs_dn_from_name(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mine);
    for (size_t i = 0; i < N(same); i++) {
        cs_dn *dn = cs_dn_parse(same[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dn);
        CU_ASSERT_TRUE(cs_dn_equal(dn, mine, false));
        CU_ASSERT_TRUE(cs_dn_equal(mine, dn, true));
        cs_dn_free(dn);
    }
    for (size_t i = 0; i < N(other); i++) {
        cs_dn *dn = cs_dn_parse(other[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dn);
        CU_ASSERT_FALSE(cs_dn_equal(dn, mine, true));
        cs_dn_free(dn);
    }
    char text[512];
    CU_ASSERT_TRUE(cs_dn_text(name, text, sizeof text) > 0);
    cs_dn *dn = cs_dn_parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dn);
    CU_ASSERT_TRUE(cs_dn_equal(dn, mine, false));
    CU_ASSERT_EQUAL(cs_dn_text(name, text, 8), 0);
    cs_dn_free(dn);
    cs_dn_free(mine);
    X509_NAME_free(name);
}

static void dn_order_counts_unless_either(void)
{
    static const struct {
        const char *a, *b;
        bool strict, either;
    } cases[] = {
        {"CN=a,O=b,C=de", "/C=DE/O=b/CN=a", true, true},
        {"CN=a,O=b,C=de", "C=de,O=b,CN=a", false, true},
        {"CN=a,O=b+L=x,C=de", "C=de,L=x+O=b,CN=a", false, true},
        {"CN=a,O=b,C=de", "O=b,CN=a,C=de", false, false},
        {"CN=a,O=b,C=de", "C=de,O=b,CN=a,CN=a", false, false},
        {"OU=x,OU=y", "OU=y,OU=x", false, true},
        {"CN=a\\00b", "CN=a", false, false},
        {"CN= a  b ,O=c", "CN=A B,O=C", true, true},
        {"/O=x/CN=http://a/b", "CN=http://a/b,O=x", true, true},
    };
    for (size_t i = 0; i < N(cases); i++) {
        cs_dn *a = cs_dn_parse(cases[i].a);
        cs_dn *b = cs_dn_parse(cases[i].b);
        CU_ASSERT_PTR_NOT_NULL_FATAL(a);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL(cs_dn_equal(a, b, false), cases[i].strict);
        CU_ASSERT_EQUAL(cs_dn_equal(a, b, true), cases[i].either);
        CU_ASSERT_EQUAL(cs_dn_equal(b, a, true), cases[i].either);
        cs_dn_free(a);
        cs_dn_free(b);
    }
}

static void dn_nonsense_is_no_name(void)
{
    static const char *const bad[] = {
        "",       " ",         "=",       "CN",     "CN=a,", ",CN=a",    "CN=a,,O=b", "NOSUCHTYPE=a",
        "CN=\"a", "CN=\"a\"b", "CN=a\"b", "CN=a\\", "CN=#0", "CN=#0c05", "CN=#zz",    "/",
        "/x",     "/CN",       "1.2.x=a", "=a",     "+CN=a", "CN=a+"};
    char *long_text = malloc(5000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(long_text);
    memset(long_text, 'a', 4999);
    memcpy(long_text, "CN=", 3);
    for (size_t i = 0; i < N(bad); i++) {
        cs_dn *dn = cs_dn_parse(bad[i]);
        if (dn != NULL) {
            CU_FAIL("accepted as a name");
            printf("  # %s\n", bad[i]);
        }
        cs_dn_free(dn);
    }
    long_text[4097] = '\0';
    CU_ASSERT_PTR_NULL(cs_dn_parse(long_text));
    long_text[4096] = '\0';
    cs_dn *dn = cs_dn_parse(long_text);
    CU_ASSERT_PTR_NOT_NULL(dn);
    cs_dn_free(dn);
    cs_dn_free(NULL);
    free(long_text);
}

const struct harness_test harness_tests[] = {
    {"first_error_is_kept", first_error_is_kept},
    {"time_reads_rfc3339", time_reads_rfc3339},
    {"time_text_comes_back", time_text_comes_back},
    {"durations_and_sizes", durations_and_sizes},
    {"buffer_grows_and_is_given_away", buffer_grows_and_is_given_away},
    {"buffer_failure_sticks", buffer_failure_sticks},
    {"base64_is_strict", base64_is_strict},
    {"hex_and_copies", hex_and_copies},
    {"only_well_formed_utf8_has_a_length", only_well_formed_utf8_has_a_length},
    {"a_write_that_takes_nothing_is_a_full_disk", a_write_that_takes_nothing_is_a_full_disk},
    {"nearest_word", nearest_word},
    {"json_is_always_json", json_is_always_json},
    {"json_too_deep_fails", json_too_deep_fails},
    {"log_lines_are_one_line", log_lines_are_one_line},
    {"clocks_run_forward", clocks_run_forward},
    {"dn_spellings_are_one_name", dn_spellings_are_one_name},
    {"dn_order_counts_unless_either", dn_order_counts_unless_either},
    {"dn_nonsense_is_no_name", dn_nonsense_is_no_name},
    {NULL, NULL},
};

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}
