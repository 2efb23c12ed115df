/* SPDX-License-Identifier: Apache-2.0 */

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Crypto;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.w3c.dom.Document;

/**
 * WSS4J as a peer: reads tasks from standard input, one a line with tabs, and answers each with "ok" or "refused WHY".
 * sign KEYSTORE KIND SIGNATURE DIGEST STR-TRANSFORM IN OUT; verify KEYSTORE IN. A keystore is PKCS#12 with alias "peer"
 * and password "password"; as a trust store it is its own anchor.
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

    private static void sign(String[] task) throws Exception {
        Document document = read(task[6]);
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(document);
        WSSecTimestamp timestamp = new WSSecTimestamp();
        timestamp.setTimeToLive(240);
        timestamp.build(document, header);
        WSSecSignature signature = new WSSecSignature();
        signature.setUserInfo("peer", PASSWORD);
        signature.setKeyIdentifierType(KINDS.get(task[2]));
        signature.setUseSingleCertificate(!"pkipath".equals(task[2]));
        signature.setSignatureAlgorithm(task[3]);
        signature.setDigestAlgo(task[4]);
        List<WSEncryptionPart> parts = new ArrayList<>();
        parts.add(new WSEncryptionPart("Body", document.getDocumentElement().getNamespaceURI(), "Content"));
        parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, ""));
        if ("yes".equals(task[5])) {
            parts.add(new WSEncryptionPart("STRTransform", "", "Element"));
        }
        signature.setParts(parts);
        signature.build(document, crypto(task[1]), header);
        write(document, task[7]);
    }

    @SuppressWarnings("unchecked")
    private static void verify(String[] task) throws Exception {
        Document document = read(task[2]);
        List<WSSecurityEngineResult> results = new WSSecurityEngine().processSecurityHeader(document, null, null, crypto(task[1]));
        Set<String> covered = new HashSet<>();
        for (WSSecurityEngineResult result : results == null ? new ArrayList<WSSecurityEngineResult>() : results) {
            List<WSDataRef> references = (List<WSDataRef>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
            if (((Integer) result.get(WSSecurityEngineResult.TAG_ACTION)) == WSConstants.SIGN && references != null) {
                for (WSDataRef reference : references) {
                    covered.add(reference.getName().getLocalPart());
                }
            }
        }
        if (!covered.contains("Body") || !covered.contains("Timestamp")) {
            throw new IllegalStateException("signed are only " + covered);
        }
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = tasks.readLine(); line != null; line = tasks.readLine()) {
            String[] task = line.split("\t");
            try {
                if ("sign".equals(task[0])) {
                    sign(task);
                } else {
                    verify(task);
                }
                System.out.println("ok");
            } catch (Exception refused) {
                System.out.println("refused " + String.valueOf(refused).replace('\n', ' '));
            }
            System.out.flush();
        }
    }
}
