// SPDX-License-Identifier: Apache-2.0
// One call by node-soap with attachments: attach.mjs ADDRESS WSDL FILE… prints the answer, or the fault, as JSON.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import soap from 'soap';

const [address, wsdl, ...files] = process.argv.slice(2);
const client = await soap.createClientAsync(wsdl, { endpoint: address });
const attachments = files.map((file) => ({
    mimetype: 'application/octet-stream', contentId: `${basename(file)}@client`, name: basename(file), body: readFileSync(file),
}));
try {
    const [answer] = await client.GetOrderAsync({ number: '4711' }, { attachments });
    console.log(JSON.stringify({ answer }));
} catch (error) {
    console.log(JSON.stringify({ status: error.response?.status ?? null, error: String(error.message) }));
}
