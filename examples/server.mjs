// An HTTP server with a Region for each request. All buffers of a request come from its region, and all
// go at once when the response has left: nobody has to remember which there were.
//
//   node examples/server.mjs                  serves; try: curl -d '3 1 2' http://localhost:8080
//   node examples/server.mjs --requests 500   sends itself so many requests, checks the answers and ends
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { parseArgs } from 'node:util';
import { Heap, processStats, Region } from 'miheap';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '8080' }, requests: { type: 'string' } },
});

// All requests together may hold so much. One that would need more gets an answer that says so.
const heap = new Heap({ name: 'requests', limit: 256 * 1024 * 1024 });

/** The body's bytes, in memory of the region. */
async function bodyOf(message, region) {
  const length = Number(message.headers['content-length'] ?? 0);
  const body = region.alloc(length);
  let at = 0;
  for await (const part of message) at += part.copy(body, at);
  return body.subarray(0, at);
}

/** Sorts the numbers of a text. */
function sorted(text, region) {
  const words = text.toString().split(/\s+/).filter(Boolean);
  const numbers = region.allocTyped(Float64Array, words.length);
  for (const [i, word] of words.entries()) numbers[i] = Number(word);
  const result = numbers.sort().join(' ');
  const answer = region.alloc(Buffer.byteLength(result));
  answer.write(result);
  return answer;
}

const server = createServer(async (message, response) => {
  if (message.headers['transfer-encoding'] !== undefined) {
    response.writeHead(411).end('say how long the body is\n');
    return;
  }
  const region = new Region({ heap, limit: 8 * 1024 * 1024 });
  // 'close' comes when the response has left, or its reader has: nothing uses the buffers then.
  response.on('close', () => region.destroy());
  try {
    response.end(sorted(await bodyOf(message, region), region));
  } catch (error) {
    response.statusCode = error.code === 'ERR_MIHEAP_LIMIT' ? 413 : 500;
    response.end(`${error.message}\n`);
  }
});

function ask(port, body) {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, method: 'POST' }, async (response) => {
      let text = '';
      for await (const part of response.setEncoding('latin1')) text += part;
      resolve({ status: response.statusCode, text });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function demonstrate(requests) {
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  let right = 0;
  for (let i = 0; i < requests; i++) {
    const numbers = Array.from({ length: 1 + (i % 500) }, (_, k) => (k * 7919 + i) % 1000);
    const { text } = await ask(port, numbers.join(' '));
    if (text === [...numbers].sort((a, b) => a - b).join(' ')) right++;
  }
  const { status } = await ask(port, Buffer.alloc(9 * 1024 * 1024, '1 '));
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  const { heldBytes } = processStats();
  console.log(JSON.stringify({ requests, right, statusOfTooLarge: status, heldBytes }));
}

if (values.requests === undefined) {
  server.listen(Number(values.port), () => console.log(`http://localhost:${values.port}`));
} else {
  await demonstrate(Number(values.requests));
}
