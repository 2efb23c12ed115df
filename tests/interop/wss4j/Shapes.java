/* SPDX-License-Identifier: Apache-2.0 */

import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.components.crypto.Crypto;
import org.apache.ws.security.message.WSSecDKEncrypt;
import org.apache.ws.security.message.WSSecEncrypt;
import org.apache.ws.security.message.WSSecEncryptedKey;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.util.WSSecurityUtil;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** What WSS4J encrypts besides the content of Body, and where its keys and lists may stand. */
final class Shapes {
    private static final String GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    private final Document document;
    private final WSSecHeader header;
    private final Crypto crypto;

    Shapes(Document document, WSSecHeader header, Crypto crypto) {
        this.document = document;
        this.header = header;
        this.crypto = crypto;
    }

    private List<WSEncryptionPart> body() {
        return part("Body", document.getDocumentElement().getNamespaceURI(), "Content");
    }

    private static List<WSEncryptionPart> part(String name, String namespace, String modifier) {
        return new ArrayList<>(Arrays.asList(new WSEncryptionPart(name, namespace, modifier)));
    }

    private static List<WSEncryptionPart> block(String modifier) {
        return part("code", "urn:codes", modifier);
    }

    private static List<WSEncryptionPart> both(List<WSEncryptionPart> one, List<WSEncryptionPart> other) {
        one.addAll(other);
        return one;
    }

    private WSSecEncrypt encryption() {
        WSSecEncrypt one = new WSSecEncrypt();
        one.setUserInfo("peer");
        one.setKeyIdentifierType(WSConstants.ISSUER_SERIAL);
        one.setSymmetricEncAlgorithm(GCM);
        one.setKeyEnc(WSConstants.KEYTRANSPORT_RSAOEP);
        return one;
    }

    private void usual(WSSecEncrypt one, List<WSEncryptionPart> parts) throws Exception {
        one.setParts(parts);
        one.build(document, crypto, header);
    }

    /* A key that stands in the header for whoever refers to it. */
    private WSSecEncryptedKey key() throws Exception {
        WSSecEncryptedKey key = new WSSecEncryptedKey();
        key.setUserInfo("peer");
        key.setKeyIdentifierType(WSConstants.ISSUER_SERIAL);
        key.setSymmetricEncAlgorithm(GCM);
        key.setKeyEncAlgo(WSConstants.KEYTRANSPORT_RSAOEP);
        key.prepare(document, crypto);
        return key;
    }

    /* The data under that key, with a list of its own. */
    private void under(WSSecEncryptedKey key, String digest) throws Exception {
        WSSecEncrypt one = encryption();
        one.setEphemeralKey(key.getEphemeralKey());
        one.setEncryptSymmKey(false);
        one.setDocument(document);
        if (digest != null) {
            one.setKeyIdentifierType(WSConstants.ENCRYPTED_KEY_SHA1_IDENTIFIER);
            one.setCustomReferenceValue(digest);
        } else {
            one.setEncKeyId(key.getId());
        }
        one.setParts(body());
        one.prepare(document, crypto);
        one.addExternalRefElement(one.encryptForRef(null, body()), header);
    }

    /** What a signature behind the encryption must cover besides Body and Timestamp. */
    static WSEncryptionPart[] alsoSigned(String shape) {
        switch (shape) {
            case "header-block":
                return new WSEncryptionPart[] {new WSEncryptionPart("EncryptedData", WSConstants.ENC_NS, "Element")};
            case "encrypted-header":
            case "two-keys":
                return new WSEncryptionPart[] {new WSEncryptionPart("EncryptedHeader", WSConstants.WSSE11_NS, "Element")};
            default:
                return new WSEncryptionPart[0];
        }
    }

    void seal(String shape) throws Exception {
        WSSecEncrypt one = encryption();
        switch (shape) {
            case "element":
                usual(one, part("order", "urn:orders", "Element"));
                break;
            case "element-content":
                usual(one, part("item", "urn:orders", "Content"));
                break;
            case "header-block":
                usual(one, both(body(), block("Element")));
                break;
            case "encrypted-header":
                usual(one, both(body(), block("Header")));
                break;
            case "timestamp":
                usual(one, both(body(), both(part("Signature", WSConstants.SIG_NS, "Element"), part("Timestamp", WSConstants.WSU_NS, "Element"))));
                break;
            case "oaep-sha256":
                one.setDigestAlgorithm("http://www.w3.org/2001/04/xmlenc#sha256");
                usual(one, body());
                break;
            case "key-in-data":
                one.setEmbedEncryptedKey(true);
                one.prepare(document, crypto);
                one.addExternalRefElement(one.encryptForRef(null, body()), header);
                break;
            case "two-keys":
                usual(one, body());
                usual(encryption(), block("Header"));
                break;
            case "twice":
                usual(one, body());
                usual(encryption(), body());
                break;
            case "list-apart": {
                WSSecEncryptedKey key = key();
                under(key, null);
                key.prependToHeader(header);
                break;
            }
            case "key-by-digest": {
                WSSecEncryptedKey key = key();
                under(key, Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-1").digest(key.getEncryptedEphemeralKey())));
                key.prependToHeader(header);
                break;
            }
            case "hmac": {
                WSSecEncryptedKey key = key();
                key.prependToHeader(header);
                WSSecSignature signature = new WSSecSignature();
                signature.setKeyIdentifierType(WSConstants.CUSTOM_SYMM_SIGNING);
                signature.setCustomTokenId(key.getId());
                signature.setCustomTokenValueType(WSConstants.WSS_ENC_KEY_VALUE_TYPE);
                signature.setSecretKey(key.getEphemeralKey());
                signature.setSignatureAlgorithm("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256");
                signature.setParts(body());
                signature.build(document, crypto, header);
                Element own = WSSecurityUtil.getDirectChildElement(header.getSecurityHeader(), "EncryptedKey", WSConstants.ENC_NS);
                header.getSecurityHeader().insertBefore(own, header.getSecurityHeader().getFirstChild());
                break;
            }
            case "derived-key": {
                WSSecEncryptedKey key = key();
                WSSecDKEncrypt derived = new WSSecDKEncrypt();
                derived.setExternalKey(key.getEphemeralKey(), key.getId());
                derived.setCustomValueType(WSConstants.WSS_ENC_KEY_VALUE_TYPE);
                derived.setSymmetricEncAlgorithm(WSConstants.AES_128);
                derived.setParts(body());
                derived.build(document, header);
                key.prependToHeader(header);
                break;
            }
            default:
                throw new IllegalArgumentException(shape);
        }
    }
}
