/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c: the outward answer to a refused message. A peer learns the WSS fault code, its standard sentence and an id;
 * the reason itself stands in our log under that id.
 */
#include <stdio.h>
#include <string.h>

#include "wssec/message.h"
#include "wssec/wssec.h"

/* Standard texts of WSS SOAP Message Security 1.1, chapter 12; the SOAP codes have one of our own. */
static const struct {
    const char *code;
    const char *text;
    bool sender; /* SOAP 1.2: Sender, else Receiver (or as written) */
} faults[] = {
    {"soap:Client", "The message is not acceptable", true},
    {"soap:Server", "The message cannot be processed at the moment", false},
    {"soap:MustUnderstand", "A mandatory header was not understood", false},
    {"wsse:UnsupportedSecurityToken", "An unsupported token was provided", true},
    {"wsse:UnsupportedAlgorithm", "An unsupported signature or encryption algorithm was used", true},
    {"wsse:InvalidSecurity", "An error was discovered processing the &lt;wsse:Security&gt; header.",
     true}, /* quoted as XML */
    {"wsse:InvalidSecurityToken", "An invalid security token was provided", true},
    {"wsse:FailedAuthentication", "The security token could not be authenticated or authorized", true},
    {"wsse:FailedCheck", "The signature or decryption was invalid", true},
    {"wsse:SecurityTokenUnavailable", "Referenced security token could not be retrieved", true},
    {"wsu:MessageExpired", "The message has expired", true},
};

/* A reason without an outward code of its own is our trouble. Once decryption has begun all refusals are one: what a
 * peer could tell apart would tell it something of the plaintext. */
static size_t fault_of(const struct wssec_verdict *v)
{
    bool alike = v->opening && v->verdict != WSSEC_ERROR;
    const char *code = wssec_reason_fault(alike ? WSSEC_DECRYPTION_FAILED : v->reason);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strcmp(faults[i].code, code) == 0) {
            return i;
        }
    }
    return 1;
}

static const char *plain_12(const char *code, bool sender)
{
    return strcmp(code, "soap:MustUnderstand") == 0 ? "env:MustUnderstand" : sender ? "env:Sender" : "env:Receiver";
}

/* Fault ids are ours (UUID), yet nothing but name characters may reach the wire. */
static void clean_id(const char *in, char *out, size_t size)
{
    size_t n = 0;
    for (; in != NULL && *in != '\0' && n + 1 < size; in++) {
        bool name =
            (*in >= '0' && *in <= '9') || (*in >= 'a' && *in <= 'z') || (*in >= 'A' && *in <= 'Z') || *in == '-';
        if (name) {
            out[n++] = *in;
        }
    }
    out[n] = '\0';
}

size_t wssec_fault(const struct wssec_verdict *v, const char *fault_id, char *out, size_t outsize)
{
    size_t i = fault_of(v);
    const char *text = faults[i].text;
    const char *code = faults[i].code;
    bool soap_code = strncmp(code, "soap:", 5) == 0;
    char id[65];
    int n = 0;
    clean_id(fault_id, id, sizeof id);
    if (v->soap == 12) {
        n = snprintf(out, outsize,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<env:Envelope xmlns:env=\"" WSSEC_NS_SOAP12 "\"%s><env:Body><env:Fault>"
                     "<env:Code><env:Value>%s</env:Value>%s%s%s</env:Code>"
                     "<env:Reason><env:Text xml:lang=\"en\">%s</env:Text></env:Reason>"
                     "<env:Detail><cs:fault-id xmlns:cs=\"urn:countersign:fault\">%s</cs:fault-id></env:Detail>"
                     "</env:Fault></env:Body></env:Envelope>\n",
                     soap_code ? "" : " xmlns:wsse=\"" WSSEC_NS_WSSE "\" xmlns:wsu=\"" WSSEC_NS_WSU "\"",
                     plain_12(code, faults[i].sender), soap_code ? "" : "<env:Subcode><env:Value>",
                     soap_code ? "" : code, soap_code ? "" : "</env:Value></env:Subcode>", text, id);
    } else {
        n = snprintf(out, outsize,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<soap:Envelope xmlns:soap=\"" WSSEC_NS_SOAP11 "\"%s><soap:Body><soap:Fault>"
                     "<faultcode>%s</faultcode><faultstring>%s</faultstring>"
                     "<detail><cs:fault-id xmlns:cs=\"urn:countersign:fault\">%s</cs:fault-id></detail>"
                     "</soap:Fault></soap:Body></soap:Envelope>\n",
                     soap_code ? "" : " xmlns:wsse=\"" WSSEC_NS_WSSE "\" xmlns:wsu=\"" WSSEC_NS_WSU "\"", code, text,
                     id);
    }
    return n > 0 && (size_t)n < outsize ? (size_t)n : 0;
}

int wssec_fault_status(const struct wssec_verdict *v, bool response)
{
    if (response) {
        return 502;
    }
    return v->soap == 12 && faults[fault_of(v)].sender ? 400 : 500;
}
