/* SPDX-License-Identifier: Apache-2.0 */

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSPasswordCallback;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Crypto;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecEncrypt;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.apache.ws.security.message.WSSecUsernameToken;
import org.w3c.dom.Document;

/**
 * WSS4J as a peer: reads tasks from standard input, one a line with tabs, and answers each with "ok" or "refused WHY".
 * sign KEYSTORE KIND SIGNATURE DIGEST STR-TRANSFORM IN OUT; verify KEYSTORE IN; encrypt KEYSTORE KIND CIPHER TRANSPORT
 * ORDER IN OUT, seal KEYSTORE SHAPE ORDER IN OUT (Shapes.java) and decrypt KEYSTORE ORDER IN OUT with ORDER encrypt,
 * sign-encrypt or encrypt-sign (seal: encrypt-sign-less signs Body and Timestamp alone); user KEYSTORE NAME SECRET TYPE IN OUT and check-user KEYSTORE SECRET IN: a signed
 * UsernameToken. A keystore is PKCS#12 with alias "peer" and password "password"; as a trust store it is its own anchor.
 */
public final class Peer {
    private static final String PASSWORD = "password";
    private static final Map<String, Integer> KINDS = new HashMap<>();
    private static final Map<String, Crypto> CRYPTO = new HashMap<>();

    static {
        KINDS.put("direct", WSConstants.BST_DIRECT_REFERENCE);
        KINDS.put("pkipath", WSConstants.BST_DIRECT_REFERENCE);
        KINDS.put("issuer-serial", WSConstants.ISSUER_SERIAL);
        KINDS.put("ski", WSConstants.SKI_KEY_IDENTIFIER);
        KINDS.put("thumbprint", WSConstants.THUMBPRINT_IDENTIFIER);
        KINDS.put("x509v3-key-identifier", WSConstants.X509_KEY_IDENTIFIER);
        KINDS.put("key-value", WSConstants.KEY_VALUE);
    }

    private static final String[] USUAL = {"direct", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256", "no"};

    private Peer() {
    }

    private static Crypto crypto(String file) throws Exception {
        if (!CRYPTO.containsKey(file)) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (FileInputStream in = new FileInputStream(file)) {
                store.load(in, PASSWORD.toCharArray());
            }
            Merlin merlin = new Merlin();
            merlin.setKeyStore(store);
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            trusted.setCertificateEntry("peer", store.getCertificate("peer"));
            merlin.setTrustStore(trusted);
            CRYPTO.put(file, merlin);
        }
        return CRYPTO.get(file);
    }

    private static Document read(String file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        return factory.newDocumentBuilder().parse(new File(file));
    }

    private static void write(Document document, String file) throws Exception {
        Transformer identity = TransformerFactory.newInstance().newTransformer();
        identity.setOutputProperty(OutputKeys.ENCODING, "UTF-8");
        identity.transform(new DOMSource(document), new StreamResult(new File(file)));
    }

    private static WSSecHeader headerIn(Document document) throws Exception {
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(document);
        return header;
    }

    private static void addSignature(Document document, WSSecHeader header, String[] kinds, Crypto crypto, WSEncryptionPart... more)
            throws Exception {
        WSSecTimestamp timestamp = new WSSecTimestamp();
        timestamp.setTimeToLive(240);
        timestamp.build(document, header);
        WSSecSignature signature = new WSSecSignature();
        signature.setUserInfo("peer", PASSWORD);
        signature.setKeyIdentifierType(KINDS.get(kinds[0]));
        signature.setUseSingleCertificate(!"pkipath".equals(kinds[0]));
        signature.setSignatureAlgorithm(kinds[1]);
        signature.setDigestAlgo(kinds[2]);
        List<WSEncryptionPart> parts = new ArrayList<>();
        parts.add(new WSEncryptionPart("Body", document.getDocumentElement().getNamespaceURI(), "Content"));
        parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, ""));
        if ("yes".equals(kinds[3])) {
            parts.add(new WSEncryptionPart("STRTransform", "", "Element"));
        }
        parts.addAll(Arrays.asList(more));
        signature.setParts(parts);
        signature.build(document, crypto, header);
    }

    private static void sign(String[] task) throws Exception {
        Document document = read(task[6]);
        WSSecHeader header = headerIn(document);
        addSignature(document, header, Arrays.copyOfRange(task, 2, 6), crypto(task[1]));
        write(document, task[7]);
    }

    /* The Body's content and, where it is signed first, the signature too. */
    private static void encrypt(String[] task) throws Exception {
        Document document = read(task[6]);
        WSSecHeader header = headerIn(document);
        if ("sign-encrypt".equals(task[5])) {
            addSignature(document, header, USUAL, crypto(task[1]));
        }
        WSSecEncrypt encryption = new WSSecEncrypt();
        encryption.setUserInfo("peer");
        encryption.setKeyIdentifierType(KINDS.get(task[2]));
        encryption.setSymmetricEncAlgorithm(task[3]);
        encryption.setKeyEnc(task[4]);
        List<WSEncryptionPart> parts = new ArrayList<>();
        parts.add(new WSEncryptionPart("Body", document.getDocumentElement().getNamespaceURI(), "Content"));
        if ("sign-encrypt".equals(task[5])) {
            parts.add(new WSEncryptionPart("Signature", WSConstants.SIG_NS, "Element"));
        }
        encryption.setParts(parts);
        encryption.build(document, crypto(task[1]), header);
        if ("encrypt-sign".equals(task[5])) {
            addSignature(document, header, USUAL, crypto(task[1]));
        }
        write(document, task[7]);
    }

    private static void seal(String[] task) throws Exception {
        Document document = read(task[4]);
        WSSecHeader header = headerIn(document);
        if ("sign-encrypt".equals(task[3])) {
            addSignature(document, header, USUAL, crypto(task[1]));
        }
        new Shapes(document, header, crypto(task[1])).seal(task[2]);
        if ("encrypt-sign".equals(task[3])) {
            addSignature(document, header, USUAL, crypto(task[1]), Shapes.alsoSigned(task[2]));
        } else if ("encrypt-sign-less".equals(task[3])) {
            addSignature(document, header, USUAL, crypto(task[1]));
        }
        write(document, task[5]);
    }

    private static void user(String[] task) throws Exception {
        Document document = read(task[5]);
        WSSecHeader header = headerIn(document);
        WSSecUsernameToken token = new WSSecUsernameToken();
        token.setUserInfo(task[2], task[3]);
        token.setPasswordType("text".equals(task[4]) ? WSConstants.PASSWORD_TEXT : WSConstants.PASSWORD_DIGEST);
        token.addNonce();
        token.addCreated();
        token.build(document, header);
        addSignature(document, header, USUAL, crypto(task[1]), new WSEncryptionPart("UsernameToken", WSConstants.WSSE_NS, "Element"));
        write(document, task[6]);
    }

    private static CallbackHandler secret(final String secret) {
        return new CallbackHandler() {
            @Override
            public void handle(Callback[] callbacks) {
                for (Callback callback : callbacks) {
                    ((WSPasswordCallback) callback).setPassword(secret);
                }
            }
        };
    }

    private static void checkUser(String[] task) throws Exception {
        List<WSSecurityEngineResult> results =
            new WSSecurityEngine().processSecurityHeader(read(task[3]), null, secret(task[2]), crypto(task[1]));
        if (!check(results, true).contains("UsernameToken")) {
            throw new IllegalStateException("no UsernameToken is signed");
        }
        for (WSSecurityEngineResult result : results) {
            if (((Integer) result.get(WSSecurityEngineResult.TAG_ACTION)) == WSConstants.UT) {
                return;
            }
        }
        throw new IllegalStateException("no UsernameToken was judged");
    }

    private static void decrypt(String[] task) throws Exception {
        Document document = read(task[3]);
        check(new WSSecurityEngine().processSecurityHeader(document, null, secret(PASSWORD), crypto(task[1])), !"encrypt".equals(task[2]));
        write(document, task[4]);
    }

    private static void verify(String[] task) throws Exception {
        check(new WSSecurityEngine().processSecurityHeader(read(task[2]), null, null, crypto(task[1])), true);
    }

    @SuppressWarnings("unchecked")
    private static Set<String> check(List<WSSecurityEngineResult> results, boolean signed) {
        Set<String> covered = new HashSet<>();
        for (WSSecurityEngineResult result : results == null ? new ArrayList<WSSecurityEngineResult>() : results) {
            List<WSDataRef> references = (List<WSDataRef>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
            if (((Integer) result.get(WSSecurityEngineResult.TAG_ACTION)) == WSConstants.SIGN && references != null) {
                for (WSDataRef reference : references) {
                    covered.add(reference.getName().getLocalPart());
                }
            }
        }
        if (signed && (!covered.contains("Body") || !covered.contains("Timestamp"))) {
            throw new IllegalStateException("signed are only " + covered);
        }
        return covered;
    }

    private static void carryOut(String[] task) throws Exception {
        switch (task[0]) {
            case "sign": sign(task); break;
            case "encrypt": encrypt(task); break;
            case "seal": seal(task); break;
            case "user": user(task); break;
            case "check-user": checkUser(task); break;
            case "decrypt": decrypt(task); break;
            case "verify": verify(task); break;
            default: throw new IllegalArgumentException("no such task: " + task[0]);
        }
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = tasks.readLine(); line != null; line = tasks.readLine()) {
            String[] task = line.split("\t");
            try {
                carryOut(task);
                System.out.println("ok");
            } catch (Exception refused) {
                System.out.println("refused " + String.valueOf(refused).replace('\n', ' '));
            }
            System.out.flush();
        }
    }
}
