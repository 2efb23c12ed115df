// SPDX-License-Identifier: Apache-2.0
// node-soap and xml-crypto as peers: one task a line as JSON on standard input, one answer a line, {} or {"refused": why}.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import soap from 'soap';
import { SignedXml } from 'xml-crypto';

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const named = (name) => `//*[local-name(.)='${name}']`;

const tasks = {
    // node-soap signs a message without Security header. transforms: its own, which name enveloped-signature, or given ones
    'node-soap': ({ input, output, key, certificate, signature, digest, transforms, mode }) => {
        const security = new soap.WSSecurityCert(readFileSync(key), readFileSync(certificate, 'utf8'), '', {
            hasTimeStamp: true, signatureAlgorithm: signature, digestAlgorithm: digest, signatureTransformations: transforms ?? undefined,
            signerOptions: mode ? { idMode: mode } : undefined,
        });
        const plain = readFileSync(input, 'utf8').replace('<s:Header/>', '<s:Header></s:Header>');
        writeFileSync(output, security.postProcess(plain, 's'));
    },
    // xml-crypto signs Body and Timestamp of a message that was signed before: tokens and KeyInfo stay, the signature is new
    'xml-crypto': ({ input, output, key, signature, digest }) => {
        const message = readFileSync(input, 'utf8');
        const old = /<ds:Signature .*<\/ds:Signature>/s.exec(message)[0];
        const keyInfo = /<ds:KeyInfo>(.*)<\/ds:KeyInfo>/s.exec(old)[1];
        const signer = new SignedXml({ privateKey: readFileSync(key), idMode: 'wssecurity', signatureAlgorithm: signature,
            canonicalizationAlgorithm: EXCLUSIVE, getKeyInfoContent: () => keyInfo });
        for (const part of ['Body', 'Timestamp']) {
            signer.addReference({ xpath: named(part), transforms: [EXCLUSIVE], digestAlgorithm: digest });
        }
        signer.computeSignature(message.replace(old, ''), { prefix: 'ds', location: { reference: named('Security'), action: 'append' } });
        writeFileSync(output, signer.getSignedXml());
    },
    verify: ({ input, certificate }) => {
        const message = readFileSync(input, 'utf8');
        const verifier = new SignedXml({ publicCert: readFileSync(certificate), idMode: 'wssecurity', getCertFromKeyInfo: () => null });
        verifier.loadSignature(/<ds:Signature .*<\/ds:Signature>/s.exec(message)[0]);
        if (!verifier.checkSignature(message) || verifier.getSignedReferences().length < 2) {
            throw new Error('invalid signature');
        }
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const task = JSON.parse(line);
    try {
        tasks[task.task](task);
        console.log('{}');
    } catch (refused) {
        console.log(JSON.stringify({ refused: String(refused.message).split('\n')[0] }));
    }
}
