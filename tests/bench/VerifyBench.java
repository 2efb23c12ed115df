/* SPDX-License-Identifier: Apache-2.0 */

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.KeyStore;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.handler.RequestData;
import org.apache.ws.security.util.WSSecurityUtil;
import org.w3c.dom.Document;

/**
 * WSS4J verifies one file again and again: VerifyBench KEYSTORE FILE MESSAGES SECONDS warms up with so many messages, or
 * for so many seconds of CPU time if that comes first. Then it verifies for as many seconds as each line of standard
 * input says, one message at least, and answers "messages cpu_us_per_message peak_kb_beyond_the_message": of the thread
 * that verifies, without the compiler's and the collector's. A keystore is PKCS#12 with alias "peer", password "password".
 */
public final class VerifyBench {
    private VerifyBench() {
    }

    private static Merlin trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(file)) {
            store.load(in, "password".toCharArray());
        }
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("peer", store.getCertificate("peer"));
        Merlin merlin = new Merlin();
        merlin.setKeyStore(store);
        merlin.setTrustStore(trusted);
        return merlin;
    }

    private static void verify(DocumentBuilder builder, byte[] octets, WSSecurityEngine engine, Merlin crypto) throws Exception {
        Document document = builder.parse(new ByteArrayInputStream(octets));
        RequestData request = new RequestData();
        request.setWssConfig(engine.getWssConfig());
        request.setSigCrypto(crypto);
        if (engine.processSecurityHeader(WSSecurityUtil.getSecurityHeader(document, null), request).isEmpty()) {
            throw new IllegalStateException("nothing was verified");
        }
    }

    private static long peakKb() throws Exception {
        for (String line : Files.readAllLines(Paths.get("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        return 0;
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        Merlin crypto = trusting(arguments[0]);
        byte[] octets = Files.readAllBytes(Paths.get(arguments[1]));
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        DocumentBuilder builder = factory.newDocumentBuilder();
        WSSecurityEngine engine = new WSSecurityEngine();
        engine.setWssConfig(WSSConfig.getNewInstance());
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        double warmUpNs = Double.parseDouble(arguments[3]) * 1e9;
        for (long left = Long.parseLong(arguments[2]); left > 0 && threads.getCurrentThreadCpuTime() < warmUpNs; left--) {
            verify(builder, octets, engine, crypto);
        }
        BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in));
        for (String task = tasks.readLine(); task != null; task = tasks.readLine()) {
            long cpu = threads.getCurrentThreadCpuTime();
            long messages = 0;
            long until = System.nanoTime() + (long) (Double.parseDouble(task) * 1e9);
            do {
                verify(builder, octets, engine, crypto);
                messages++;
            } while (System.nanoTime() < until);
            double us = (threads.getCurrentThreadCpuTime() - cpu) / 1e3 / messages;
            System.out.println(messages + " " + us + " " + (peakKb() - octets.length / 1024));
        }
    }
}
