// SPDX-License-Identifier: Apache-2.0
// One signed call by node-soap: client.mjs ADDRESS WSDL KEY CERTIFICATE soap11|soap12 NUMBER prints the answer, or the fault, as JSON.
import { readFileSync } from 'node:fs';
import soap from 'soap';

const [address, wsdl, keyFile, certificateFile, version, number] = process.argv.slice(2);
const client = await soap.createClientAsync(wsdl, { endpoint: address, forceSoap12Headers: version === 'soap12' });
client.setSecurity(new soap.WSSecurityCert(readFileSync(keyFile), readFileSync(certificateFile, 'utf8'), '', {
    hasTimeStamp: true,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
    signatureTransformations: ['http://www.w3.org/2001/10/xml-exc-c14n#'],
}));
try {
    const [answer] = await client.GetOrderAsync({ number });
    console.log(JSON.stringify({ answer }));
} catch (error) {
    const fault = error.root?.Envelope?.Body?.Fault;
    console.log(JSON.stringify({ fault: fault ?? null, status: error.response?.status ?? null, error: String(error.message) }));
}
